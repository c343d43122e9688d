"""The command line of app.py; mistakes are reported in one line, before anything is created or imported."""

import argparse
from pathlib import Path

from arena.server.site import Site, SiteError
from common.options import Parser


def parse_options(argv: list[str] | None) -> argparse.Namespace:
    """Return what was asked for; a mistake ends the program with code 2."""
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
    parser.add_argument("--check", action="store_true", help="load and ask every contestant, print a table, and exit")
    parser.add_argument(
        "--memory", type=gigabytes, metavar="GB", help="for weights in this process; by default most of what is free"
    )
    parser.add_argument(
        "--preload",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="load as many contestants as fit before the first battle, not when they are drawn (default)",
    )
    parser.add_argument("--root-path", default="", metavar="/PATH", help="path under which a proxy serves the arena")
    parser.add_argument(
        "--proxy",
        type=lambda text: text.replace(",", " ").split(),
        default=(),
        metavar="ADDRESS[,...]",
        help="proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted; none by default",
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
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot be the name of a ledger (its key is the file beside it that ends in .key)"
        )
    return Path(text)


def host(text: str) -> str:
    """Return an address or a host name, without the brackets of an IPv6 address."""
    if not text.strip():
        raise argparse.ArgumentTypeError("'' is not an address: for every one of this machine, pass 0.0.0.0")
    return text.removeprefix("[").removesuffix("]") if ":" in text else text


def gigabytes(text: str) -> int:
    """Return bytes."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of memory: write GB, such as 4 or 0.5")
    return round(number * 1e9)


def port(text: str) -> int:
    """Return a port number."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: pass a number from 0 to 65535")
    return int(text)
