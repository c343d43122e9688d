"""Serve the arena: ``python app.py [--models models.yaml] [--db data/arena.db] [--host 127.0.0.1] [--port 7860]``.

docs/running.md has the options for a public address; --check asks every contestant and exits. Exit codes: 0 after
SIGTERM, SIGHUP or Ctrl+C, with the ledger closed; 2 for bad input, with one line that says what is wrong and how to fix
it, before anything is started.
"""

import argparse
import contextlib
import os
import socket
import sys
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, NoReturn

from arena.server.stopping import Stopping

if TYPE_CHECKING:
    from arena.config import Models
    from arena.ledger.store import Store


def main(argv: list[str] | None = None) -> int:
    """Check the input, open the ledger, load the contestants in the background, and serve the page."""
    stopping = Stopping()
    with stopping.by_signal():
        return start(argv, stopping)


def start(argv: list[str] | None, stopping: Stopping) -> int:
    """Do the work of main, and close everything that was opened."""
    # Imported only now, when signals are handled already; nothing heavy, so that bad input is reported at once.
    from arena.backends.opening import require_memory
    from arena.config import load_models
    from arena.ledger.claim import Claim, ClaimError
    from arena.ledger.store import Store, StoreError
    from arena.server.listening import ListenError, listen
    from arena.server.logs import set_up_log
    from arena.server.options import parse_options
    from arena.server.visitors import SecretError, read_secret
    from common.models_yaml import ModelsError
    from common.words import plural

    options = parse_options(argv)
    set_up_log()
    if options.check:
        return check(options)
    with ExitStack() as opened:
        try:
            models = load_models(options.models)
            require_memory(models.contestants, options.memory)
            listener = opened.enter_context(listen(options.host, options.port))
            opened.enter_context(closing(Claim(options.db)))
            store = opened.enter_context(closing(Store(options.db)))
            secret = read_secret(options.db.with_suffix(".key"))
            swept = store.sweep()
        except (ModelsError, ListenError, ClaimError, StoreError, SecretError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        if swept:
            verb = "is" if swept == 1 else "are"
            say(f"{plural(swept, 'unfinished battle')} of an earlier run {verb} void")
        opened.callback(void_running, store)
        stopping.run(lambda: serve_arena(options, models, store, secret, listener, stopping))
    say("stopped")
    return 0


def check(options: argparse.Namespace) -> int:
    """Load and ask every contestant; return 0 if all can fight, 1 if not, 2 if models.yaml cannot be used."""
    import asyncio

    from arena.backends.opening import open_backends, require_memory
    from arena.check import check_contestants
    from arena.config import load_models
    from common.models_yaml import ModelsError

    try:
        models = load_models(options.models)
        require_memory(models.contestants, options.memory)
    except ModelsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    backends = open_backends(models.contestants, memory=options.memory, preload=False, logs=options.db.parent)
    try:
        failed = asyncio.run(check_contestants(models.contestants, backends, sys.stdout))
    finally:
        for backend in set(backends.values()):
            backend.close()
    return 1 if failed else 0


def serve_arena(
    options: argparse.Namespace,
    models: "Models",
    store: "Store",
    secret: str,
    listener: socket.socket,
    stopping: Stopping,
) -> None:
    """Load the contestants in the background, build the page and serve it until it shall stop."""
    from arena.backends.opening import open_backends
    from arena.guard.limits import Limits
    from arena.server.listening import address_of
    from arena.server.serving import serve
    from arena.service import Service
    from arena.ui.page import build_page, build_server

    backends = open_backends(models.contestants, memory=options.memory, preload=options.preload, logs=options.db.parent)
    try:
        service = Service(
            models.contestants,
            backends,
            store,
            categories={ready.prompt: ready.category for ready in models.ready_prompts},
            limits=Limits(models.limits.visitor, models.limits.address),
        )
        page = build_page(service, models, options.db)
        server = build_server(page, service, secret=secret, site=options.site)
        say(f"Checkpoint arena on {address_of(options.host, listener)}{options.site.root_path} (Ctrl+C stops it)")
        serve(server, listener, stopping, options.site)
    finally:
        for backend in set(backends.values()):
            backend.close()


def void_running(store: "Store") -> None:
    """Void the battles that are still being written; if that fails, the next start does it."""
    from arena.ledger.store import LedgerUnavailable

    with contextlib.suppress(LedgerUnavailable):
        store.sweep()


def say(line: str) -> None:
    """Print a line; the terminal may be gone."""
    with contextlib.suppress(OSError):
        print(line, flush=True)


def leave(code: int) -> NoReturn:
    """End the process at once: threads that still load or write would delay its exit or crash during it."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def run() -> NoReturn:
    """Serve the arena as a command."""
    leave(main())


if __name__ == "__main__":
    run()
