"""The command line of app.py: what is wrong with it is said in one line, before anything is made or imported."""

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from arena.server.site import Site, SiteError


class Parser(argparse.ArgumentParser):
    """Refuses with one line, as every other refusal of the arena."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and exit with code 2."""
        print(f"error: {message.replace(chr(10), ' ')}", file=sys.stderr)
        raise SystemExit(2)


def parse_options(argv: list[str] | None) -> argparse.Namespace:
    """Return models, db, host, port and site; a wrong command line ends the program with code 2."""
    parser = build_parser()
    options = parser.parse_args(argv)
    try:
        options.site = Site(options.root_path.rstrip("/"), tuple(options.proxy), tuple(options.frame_ancestors))
    except SiteError as error:
        parser.error(str(error))
    return options


def build_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(description="Blind battles between checkpoints, in the browser.", allow_abbrev=False)
    parser.add_argument("--models", type=Path, default=Path("models.yaml"), help="the contestants (%(default)s)")
    parser.add_argument("--db", type=ledger, default=Path("data/arena.db"), help="the vote ledger (%(default)s)")
    parser.add_argument("--host", type=host, default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=port, default=7860, help="port to listen on, 0 for any (%(default)s)")
    parser.add_argument("--root-path", default="", metavar="/PATH", help="path below which a proxy shows the arena")
    parser.add_argument(
        "--proxy",
        type=lambda text: text.replace(",", " ").split(),
        default=(),
        metavar="ADDRESS[,...]",
        help="proxies that are believed when they say who asks (X-Forwarded-For, X-Forwarded-Proto); none by default",
    )
    parser.add_argument(
        "--frame-ancestors",
        type=str.split,
        default=(),
        metavar='"URL ..."',
        help="other sites that may show the page in a frame; none by default",
    )
    return parser


def ledger(text: str) -> Path:
    """Return the path of a ledger."""
    if not text.strip() or Path(text).suffix == ".key":
        raise argparse.ArgumentTypeError(f"{text!r} is no name for a ledger (its key lies beside it as .key)")
    return Path(text)


def host(text: str) -> str:
    """Return an address or a host's name; which one it is shows when it is listened on."""
    if not text.strip():
        raise argparse.ArgumentTypeError("'' is no address: 0.0.0.0 is every one of this machine")
    return text.removeprefix("[").removesuffix("]") if ":" in text else text


def port(text: str) -> int:
    """Return a port's number."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: pass one from 0 to 65535")
    return int(text)
