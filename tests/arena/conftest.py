"""Ledgers, a served page and visitors for the tests of arena/."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from arena.ledger.store import Store
from tests.arena.backends.openai.llamacpp import serving
from tests.arena.helpers.played import PATIENCE
from tests.arena.helpers.served import Arena, serve
from tests.arena.helpers.stage import Stage
from tests.paths import ROOT

if TYPE_CHECKING:
    import torch
    from playwright.sync_api import Browser, BrowserContext

    from arena.backends.local import TransformersBackend
    from tests.arena.helpers.watch import Open


@pytest.fixture
def root() -> Path:
    """Return the checkout, for tests that run the program."""
    return ROOT


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "arena.db")) as ledger:
        yield ledger


@pytest.fixture
def stage(store: Store) -> Stage:
    """Return a host of two contestants that play what a test writes down."""
    return Stage(store)


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Serve one arena to all tests of a module; each test is a visitor of its own."""
    with serve(tmp_path_factory.mktemp("arena")) as served:
        yield served


@pytest.fixture(scope="session")
def llamacpp(smollm2_gguf: Path) -> Iterator[str]:
    """Serve SmolLM2 by llama.cpp, as the model "smollm2"; return the address of its API."""
    with serving(next(smollm2_gguf.glob("*.gguf"))) as address:
        yield address


@pytest.fixture
def visit(browser: "Browser") -> "Iterator[Callable[..., BrowserContext]]":
    """Return a function that opens a browser context, which is a visitor of its own."""
    opened: list[BrowserContext] = []

    def open_context(**options: Any) -> "BrowserContext":
        context = browser.new_context(**options)
        context.set_default_timeout(PATIENCE * 1000)
        opened.append(context)
        return context

    yield open_context
    for context in opened:
        context.close()


@pytest.fixture
def watch(arena: Arena, visit: "Callable[..., BrowserContext]") -> "Open":
    """Return a function that opens the page and minds what goes wrong on it; every model says "It is cold."."""
    from tests.arena.helpers.watch import Watch  # which imports gradio

    arena.script("It is ", "cold.")
    return lambda context=None, **options: Watch(context or visit(**options), arena)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one tiny checkpoint for the whole session."""
    from tests.arena.backends.asked import make_checkpoint

    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture(scope="session")
def backend(checkpoint: Path) -> "Iterator[TransformersBackend]":
    from arena.backends.local import TransformersBackend

    made = TransformersBackend(checkpoint)
    yield made
    made.close()
    made._engine._thread.join(PATIENCE)
    assert not made._engine._thread.is_alive()


@pytest.fixture
def calls(backend: "TransformersBackend", monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the number of rows whenever generate is called."""
    from arena.backends.local import engine as module
    from tests.arena.backends.asked import run

    run(backend.load())
    generate, sizes = backend._engine.writer.model.generate, []

    def counting(ids: "torch.Tensor", **options: Any) -> Any:
        sizes.append(len(ids))
        return generate(ids, **options)

    monkeypatch.setattr(backend._engine.writer.model, "generate", counting)
    # Nothing waits longer than for this: a batch that is whole by then is gathered on any machine.
    monkeypatch.setattr(module, "GATHER_SECONDS", 0.3)
    return sizes
