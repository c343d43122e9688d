"""Parsers of command lines, which report a mistake as everything else that is wrong: in one line."""

import argparse
import sys
from typing import NoReturn

from common.words import one_line


class Parser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the mistake and exit with status 2."""
        print(f"error: {one_line(' '.join(message.split()))}", file=sys.stderr)
        raise SystemExit(2)
