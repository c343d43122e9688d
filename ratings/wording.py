"""Names as they stand in a sentence."""

from common.words import printable

__all__ = ["printable"]
