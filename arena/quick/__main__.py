"""A blind test of servers that run already: ``python -m arena.quick http://127.0.0.1:8000 http://127.0.0.1:8001``.

What each address lists at /v1/models becomes a contestant, and the arena opens with them. --models-out writes the
models.yaml and opens nothing. Exit codes: 0 done; 2 bad input or a server that cannot be used, each in one line.
"""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NoReturn

from arena.quick.entries import write_models
from arena.quick.servers import Server, ServerError, ask_server, read_address
from arena.server.options import host, ledger, port
from common.edge import DONE, REFUSED, STOPPED
from common.options import Parser
from common.words import one_line, plural

ENVIRONMENT_NAME = re.compile(r"[A-Z_][A-Z0-9_]*", re.ASCII)
MOST = 30  # models, beyond which somebody should choose


def main(argv: list[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Ask the servers, write a models.yaml, and serve the arena with it; return the exit code."""
    options = build_parser().parse_args(argv)
    try:
        names, keys = read_keys(options.api_key_env, len(options.urls), environment)
        servers = ask_servers(options.urls, keys)
        text = write_models(choose(servers, options.only), names)
        if options.models_out:
            with options.models_out.open("x", encoding="utf-8") as file:
                file.write(text)
    except FileExistsError:
        return refuse(f"{options.models_out} exists: remove it, or give another --models-out")
    except (ServerError, OSError) as error:
        return refuse(str(error))
    except KeyboardInterrupt:
        return STOPPED
    if options.models_out:
        print(f"{options.models_out}: written; python app.py --models {options.models_out} opens the arena")
        return DONE
    return open_arena(text, options)


def build_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(
        prog="python -m arena.quick",
        description="A blind test of the models behind OpenAI-compatible servers.",
        allow_abbrev=False,
    )
    parser.add_argument("urls", nargs="+", metavar="URL", help="a server, such as http://127.0.0.1:8000")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="models to take, such as '*8b*'")
    parser.add_argument(
        "--api-key-env",
        action="append",
        default=[],
        metavar="NAME",
        help="environment variable with the key: one for all servers, or one for each in their order, - for none",
    )
    parser.add_argument("--models-out", type=Path, metavar="FILE", help="write the models.yaml there, and open nothing")
    parser.add_argument("--db", type=ledger, default=Path("data/quick.db"), help="the vote ledger (%(default)s)")
    parser.add_argument("--host", type=host, default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=port, default=7860, help="port to listen on, 0 for any (%(default)s)")
    return parser


def read_keys(names: Sequence[str], servers: int, environment: Mapping[str, str]) -> tuple[list[str | None], list[str]]:
    """Return the variable of each server's key, None for none, and the keys.

    Raises:
        ServerError: there are too few or too many names, or a variable is not set.
    """
    if len(names) not in (0, 1, servers):
        raise ServerError(f"--api-key-env is given {len(names)} times for {servers} servers: give it once, or for each")
    each = list(names) * servers if len(names) == 1 else names
    wanted = [None if name == "-" else name for name in each]
    for name in wanted:
        key = environment.get(name, "").strip() if name else ""
        if name and not ENVIRONMENT_NAME.fullmatch(name):
            raise ServerError("--api-key-env wants the name of an environment variable in capitals, such as MY_API_KEY")
        if not (key.isascii() and (key.isprintable() or not key)):
            raise ServerError(f"the environment variable {name} holds what no header can: copy the key once more")
        if name and not key:
            raise ServerError(f"the environment variable {name} is not set: export the key under this name")
    wanted = wanted or [None] * servers
    return wanted, [environment[name].strip() if name else "" for name in wanted]


def ask_servers(urls: Sequence[str], keys: Sequence[str]) -> list[Server]:
    """Return what each address serves.

    Raises:
        ServerError: with a line for each that cannot be used.
    """
    servers: list[Server] = []
    problems = []
    for number, (url, key) in enumerate(zip(urls, keys, strict=True), 1):
        try:
            address = read_address(url)
            if address in [server.address for server in servers]:
                raise ServerError(f"{address} is given twice: a model would meet itself")
            servers.append(ask_server(address, key))
        except ServerError as error:
            problems.append(f"URL {number}: {error}")
    if problems:
        raise ServerError("\n".join(problems))
    return servers


def choose(servers: Sequence[Server], patterns: Sequence[str]) -> list[Server]:
    """Return the servers with the models that match one of the patterns, or with all if there is none.

    Raises:
        ServerError: fewer than two are left, or too many.
    """
    chosen = [
        Server(each.address, each.dialect, tuple(m for m in each.models if _matches(m, patterns))) for each in servers
    ]
    count = sum(len(server.models) for server in chosen)
    listed = ", ".join(model for server in servers for model in server.models[:MOST])
    if count < 2:
        which = (
            f"{'matches' if count == 1 else 'match'} {' or '.join(patterns)}"
            if patterns
            else ("is listed" if count == 1 else "are listed")
        )
        cure = "give another --only" if patterns else "give another URL"
        raise ServerError(f"a battle needs at least 2 models, and {plural(count, 'model')} {which} ({listed}): {cure}")
    if count > MOST:
        raise ServerError(f"{count} models are listed, more than {MOST}: choose with --only, such as --only '*8b*'")
    return chosen


def _matches(model: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(model.lower(), pattern.lower()) for pattern in patterns)


def open_arena(text: str, options: argparse.Namespace) -> int:
    """Serve the arena with a models.yaml until it is stopped; return the exit code."""
    import app

    with tempfile.TemporaryDirectory(prefix="arena-quick-") as folder:
        models = Path(folder) / "models.yaml"
        models.write_text(text, encoding="utf-8")
        words = ["--models", models, "--db", options.db, "--host", options.host, "--port", options.port]
        return app.main([str(word) for word in words])


def refuse(lines: str) -> int:
    """Print what is wrong, and return the exit code of bad input."""
    for line in lines.split("\n"):
        print(f"error: {one_line(line)}", file=sys.stderr)
    return REFUSED


def run() -> NoReturn:
    """Serve as a command."""
    import app

    app.leave(main())


if __name__ == "__main__":
    run()
