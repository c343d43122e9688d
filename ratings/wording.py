"""Numbers and names as they stand in a sentence."""

from common.words import printable

__all__ = ["printable", "small_share"]


def small_share(share: float) -> str:
    """Return a share in percent with two digits that count, such as "0.27%", "1.7%" or "100%"."""
    percent = 100 * share
    return f"{percent:.0f}%" if percent >= 9.95 else f"{percent:.2g}%"
