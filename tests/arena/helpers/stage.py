"""A service on a ledger with scripted backends, for the tests of the service."""

import asyncio
import gc
import random
import sqlite3
from collections.abc import Coroutine
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from arena import fight as fight_module
from arena.battle import Battle
from arena.bench import Bench
from arena.guard.limits import Limits
from arena.ledger.store import Store
from arena.service import Service
from tests.arena.helpers.played import PATIENCE, PlayedBackend, Signal, Step, make_backends, make_contestant, settle


@dataclass
class Stage:
    """A service on a ledger, with a scripted backend for each of its contestants."""

    store: Store
    names: tuple[str, ...] = ("alder", "birch")
    seconds: float | None = PATIENCE
    limits: Limits | None = None
    is_paced: bool = False
    bench: Bench | None = None
    backends: dict[str, PlayedBackend] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.backends = self.backends or make_backends(self.names)
        self.service = Service(
            tuple(make_contestant(name) for name in self.names),
            self.backends,
            self.store,
            rng=random.Random(4),
            reply_seconds=self.seconds,
            limits=self.limits,
            is_paced=self.is_paced,
            bench=self.bench,
        )

    def script(self, *steps: Step, name: str | None = None) -> None:
        for each in self.names if name is None else (name,):
            self.backends[each].steps = steps

    async def fight(self, visitor: str = "ann", prompt: str = "Why?", address: str = "") -> Battle:
        """Start a battle and wait for its end."""
        battle = await self.service.start(visitor, prompt, address)
        await settle()
        return battle

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.store.path)) as connection:
            return connection.execute(sql, values).fetchall()

    def votes(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT battle_id, visitor, outcome FROM votes")

    def stored(self, battle: Battle) -> tuple[str, str]:
        """Return the battle's state in the ledger, and why it is void."""
        [(state, reason)] = self.rows("SELECT state, void_reason FROM battles WHERE id = ?", battle.id)
        return state, reason

    @property
    def taken_places(self) -> int:
        return len(self.service._places)


class Dim(PlayedBackend):
    """A backend whose check waits until it is lit, as one does whose weights are still being loaded."""

    def __init__(self, *steps: Step, ending: str = "") -> None:
        super().__init__(*steps, ending=ending)
        self.lit, self.asked = Signal(), Signal()

    async def check(self, *request: Any) -> None:
        self.asked.set()
        await self.lit.wait()
        await super().check(*request)


class Slowly:
    """Holds a method of the store back, in the thread that it runs in, until it may go on."""

    def __init__(self, store: Store, name: str, *, is_done_first: bool = False) -> None:
        """is_done_first lets the method do its work before it is held, so that only its answer is late."""
        self.began, self.may_go_on = Signal(), Signal()
        self.store, self.name, self.is_done_first = store, name, is_done_first
        self.method = getattr(store, name)

    def __enter__(self) -> "Slowly":
        setattr(self.store, self.name, self)
        return self

    def __exit__(self, *_: object) -> None:
        self.may_go_on.set()
        delattr(self.store, self.name)

    def __call__(self, *values: Any, **options: Any) -> Any:
        answer = self.method(*values, **options) if self.is_done_first else None
        self.began.set()
        self.may_go_on.wait_here()
        return answer if self.is_done_first else self.method(*values, **options)


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test in an event loop of its own, without any unhandled exception."""
    complaints: list[str] = []

    async def with_patience() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(str(context)))
        async with asyncio.timeout(PATIENCE * 2):
            await test

    with patch.object(fight_module, "LOOK_SECONDS", min(fight_module.LOOK_SECONDS, 0.005)):
        asyncio.run(with_patience())
    gc.collect()  # when a task reports an exception that was never retrieved
    assert complaints == []
