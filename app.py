"""Serve the arena: ``python app.py [--models models.yaml] [--db data/arena.db] [--host 127.0.0.1] [--port 7860]``.

Exit codes: 0 stopped, 2 bad input with one line that says what and how to mend it, before anything was started.
"""

import argparse
import contextlib
import logging
import os
import socket
import sys
from pathlib import Path

from arena.config import ConfigError, load_models
from arena.store import Store, StoreError


class ListenError(Exception):
    """An address that cannot be listened on."""


def main(argv: list[str] | None = None) -> int:
    """Check the input, open the ledger, load the contestants in the background, and serve the page."""
    options = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        models = load_models(options.models)
        store = Store(options.db)
        listener = listen(options.host, options.port)
    except (ConfigError, StoreError, ListenError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2

    # Imported after the checks, so that bad input is answered at once.
    import uvicorn

    from arena.backends import open_backends
    from arena.host import Host
    from arena.limits import Limits
    from arena.ui.page import build_page, build_server
    from arena.web import read_secret

    if swept := store.sweep():
        print(f"{swept} unfinished battles of an earlier run are void")
    backends = open_backends(models.contestants)
    host = Host(
        models.contestants,
        backends,
        store,
        categories={ready.prompt: ready.category for ready in models.ready_prompts},
        limits=Limits(models.limits.visitor, models.limits.address),
    )
    page = build_page(host, models, options.db)
    server = build_server(page, host, secret=read_secret(options.db.with_suffix(".key")))
    print(f"Checkpoint arena on http://{options.host}:{options.port} (Ctrl+C stops it)", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(server, log_level="warning")).run(sockets=[listener])
    for backend in set(backends.values()):
        backend.close()
    store.close()
    return 0


def listen(host: str, port: int) -> socket.socket:
    """Take the address before anything is loaded, so that a taken port is said at once.

    Raises:
        ListenError: nothing can listen there.
    """
    try:
        return socket.create_server((host, port))
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise ListenError(f"cannot listen on {host}:{port}: {why}: pass another --port or --host") from None


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description="Blind battles between checkpoints, in the browser.")
    parser.add_argument("--models", type=Path, default=Path("models.yaml"), help="the contestants (%(default)s)")
    parser.add_argument("--db", type=Path, default=Path("data/arena.db"), help="the vote ledger (%(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
