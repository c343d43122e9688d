"""A host on a ledger with scripted backends, for the tests of hosting."""

import asyncio
import random
import sqlite3
from collections.abc import Coroutine
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from scripted import PATIENCE, ScriptedBackend, Step, make_contestant, settle

from arena.battle import Battle
from arena.host import Host
from arena.store import Store


@dataclass
class Stage:
    """A host on a ledger, with a scripted backend for each of its contestants."""

    store: Store
    names: tuple[str, ...] = ("alder", "birch")
    seconds: float = PATIENCE
    backends: dict[str, ScriptedBackend] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.backends = {name: ScriptedBackend() for name in self.names}
        contestants = tuple(make_contestant(name) for name in self.names)
        self.host = Host(contestants, self.backends, self.store, rng=random.Random(4), reply_seconds=self.seconds)

    def script(self, *steps: Step, name: str | None = None) -> None:
        for each in self.names if name is None else (name,):
            self.backends[each].steps = steps

    async def fight(self, visitor: str = "ann", prompt: str = "Why?") -> Battle:
        """Start a battle and wait for its end."""
        battle = await self.host.start(visitor, prompt)
        await settle()
        return battle

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.store.path)) as connection:
            return connection.execute(sql).fetchall()

    def votes(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT battle_id, visitor, outcome FROM votes")


def run(test: Coroutine[Any, Any, None]) -> None:
    async def with_patience() -> None:
        async with asyncio.timeout(PATIENCE * 2):
            await test

    asyncio.run(with_patience())
