"""Thousands of prompts, votes and skips at once, given up half way, on models and a ledger that fail now and then.

Whatever happens, memory and ledger say the same in the end, every vote that was reported stored is stored once, and no
place is taken any more. The order of events is not the same on every run: what must hold holds for each.
"""

import asyncio
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from arena import bench as bench_module
from arena import fight as fight_module
from arena import service as service_module
from arena.backends.base import BackendError, Request
from arena.battle import Battle, BattleError, State
from arena.guard.prompt_checks import PromptRefused
from arena.ledger import store as store_module
from arena.ledger.store import Store
from ratings.outcomes import OUTCOMES
from tests.arena.helpers.played import PlayedBackend, make_reply, settle
from tests.arena.helpers.stage import Stage, run

NAMES = ("alder", "birch", "cedar", "elm")
VISITORS, TABS, ACTS = 20, 2, 60
SLOW = ("begin", "finish", "vote", "void", "battle", "open_battle")


class Moody(PlayedBackend):
    """Writes at its own pace, fails now and then, and sometimes writes what others write."""

    def __init__(self, name: str, rng: random.Random) -> None:
        super().__init__()
        self.name, self.rng = name, rng

    async def check(self, *_: Any) -> None:
        await asyncio.sleep(self.rng.choice([0, 0, 0.002]))
        if self.rng.random() < 0.02:
            raise RuntimeError("a bug")

    async def stream(self, request: Request) -> Any:  # type: ignore[override]
        plain = f"{self.name[0]} says", " so."
        words = self.rng.choice([plain, plain, ("Yes.",), (f"I am {self.name}.",)])
        for word in words:
            await asyncio.sleep(self.rng.choice([0, 0.001, 0.004]))
            if self.rng.random() < 0.03:
                raise BackendError("out of memory")
            yield word
        yield make_reply("".join(words))


class Crowd:
    """Visitors with several tabs each, who do what visitors do in no particular order."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage, self.rng = stage, random.Random(seed)
        self.seen: dict[str, list[str]] = {}  # battle ids by visitor
        self.stored: dict[str, str] = {}  # outcomes that were reported stored
        self.refused: Counter[str] = Counter()

    async def act(self, visitor: str) -> None:
        service, rng = self.stage.service, self.rng
        own = self.seen.setdefault(visitor, [])
        known = rng.choice(own[-3:]) if own else "none"
        foreign = rng.choice([battle_id for ids in self.seen.values() for battle_id in ids] or ["none"])
        await rng.choice([
            lambda: self.start(visitor),
            lambda: self.start(visitor),
            lambda: self.vote(visitor, known),
            lambda: self.vote(visitor, known),
            lambda: self.vote(visitor, foreign),
            lambda: self.maybe(service.skip(visitor, rng.choice([known, known, foreign]))),
            lambda: self.maybe(service.open_battle(visitor)),
            lambda: self.maybe(service.find(foreign)),
        ])()  # fmt: skip
        await asyncio.sleep(rng.choice([0, 0, 0.002, 0.01]))

    async def start(self, visitor: str) -> None:
        battle = await self.maybe(self.stage.service.start(visitor, f"Why {self.rng.randrange(3)}?", "192.0.2.1"))
        if battle:
            self.seen[visitor].append(battle.id)
            await asyncio.sleep(self.rng.choice([0, 0.03, 0.06]))

    async def vote(self, visitor: str, battle_id: str) -> None:
        outcome = self.rng.choice(OUTCOMES)
        battle = await self.maybe(self.stage.service.vote(visitor, battle_id, outcome))
        if battle is None:
            return
        assert battle.visitor == visitor
        assert battle_id not in self.stored
        self.stored[battle_id] = outcome.value
        found = self.stage.rows(
            "SELECT model_a, model_b, outcome FROM votes WHERE battle_id = ?1 UNION ALL "
            "SELECT model_a, model_b, outcome FROM set_aside WHERE battle_id = ?1",
            battle_id,
        )
        assert found == [(*battle.reveal(), outcome.value)]  # on disk before anybody is named

    async def maybe(self, request: Awaitable[Battle | None]) -> Battle | None:
        """Wait for a request, or give it up at some moment; what may be refused is no failure."""
        task = asyncio.ensure_future(request)
        if self.rng.random() < 0.25:
            await asyncio.sleep(self.rng.choice([0, 0, 0.001, 0.005]))
            task.cancel()
        try:
            return await task
        except (BattleError, PromptRefused) as refusal:
            self.refused[str(refusal).split(",")[0]] += 1
        except asyncio.CancelledError:
            self.refused["given up"] += 1
        return None


async def disturb(store: Store, rng: random.Random) -> None:
    """Lock the ledger for a moment, again and again, as another process would."""
    with closing(sqlite3.connect(store.path, isolation_level=None, timeout=0)) as other:
        while True:
            await asyncio.sleep(rng.uniform(0.01, 0.2))
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                continue
            await asyncio.sleep(rng.uniform(0.0, 0.09))
            other.execute("ROLLBACK")


def slow_down(store: Store, rng: random.Random) -> None:
    """Delay the store's methods and their answers."""

    def slowly(method: Any) -> Any:
        def late(*values: Any, **options: Any) -> Any:
            time.sleep(rng.choice([0, 0, 0.001, 0.003]))
            answer = method(*values, **options)
            time.sleep(rng.choice([0, 0, 0.001, 0.003]))
            return answer

        return late

    for name in SLOW:
        setattr(store, name, slowly(getattr(store, name)))


def check_all(stage: Stage, crowd: Crowd) -> None:
    service = stage.service
    assert (service._places, service._starting, service._being_voted, service._fights.tasks) == ({}, {}, set(), set())
    ledger = dict(stage.rows("SELECT id, state FROM battles"))
    assert {battle.id: battle.state.value for battle in service._battles.values()}.items() <= ledger.items()
    assert State.GENERATING.value not in ledger.values()
    counted = dict(stage.rows("SELECT battle_id, outcome FROM votes"))
    aside = dict(stage.rows("SELECT battle_id, outcome FROM set_aside"))
    voted = {battle_id for battle_id, state in ledger.items() if state == "voted"}
    assert counted.keys() | aside.keys() == voted
    assert len(counted) + len(aside) == len(voted)
    assert crowd.stored.items() <= (counted | aside).items()
    assert stage.rows("SELECT visitor FROM battles WHERE state = 'ready' GROUP BY visitor HAVING count(*) > 1") == []
    for battle in service._battles.values():
        if battle.state in (State.READY, State.VOTED):
            [stored] = stage.rows("SELECT reply_a, reply_b FROM battles WHERE id = ?", battle.id)
            assert stored == (battle.texts["a"], battle.texts["b"])
        assert (battle.outcome and battle.outcome.value) == (counted | aside).get(battle.id)
    [totals] = stage.rows("SELECT sum(a_wins + b_wins + ties + both_bad) FROM vote_counts")
    assert totals == (len(counted) or None,)


@pytest.mark.parametrize("seed", range(2))
def test_a_crowd_on_failing_models_and_a_failing_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    rng = random.Random(seed)
    for module, name, value in [
        (fight_module, "LOOK_SECONDS", 0.002),
        (fight_module, "STORE_PAUSE", 0.05),
        (fight_module, "STORE_TRIES", 9),
        (service_module, "LEDGER_SECONDS", 0.01),
        (service_module, "KEPT_BATTLES", 25),
        (service_module, "MAX_RUNNING", 10),
        (store_module, "BUSY_SECONDS", 0.04),
        (store_module, "REST_SECONDS", 0.01),
        (bench_module, "FIRST_PAUSE", 0.005),
        (bench_module, "LONGEST_PAUSE", 0.02),
    ]:
        monkeypatch.setattr(module, name, value)

    async def test(store: Store) -> None:
        stage = Stage(store, NAMES, backends={name: Moody(name, rng) for name in NAMES})
        crowd = Crowd(stage, seed)

        async def tab(visitor: str) -> None:
            for _ in range(ACTS):
                await crowd.act(visitor)

        disturbing = asyncio.create_task(disturb(store, rng))
        await asyncio.gather(*(tab(f"visitor {n % VISITORS}") for n in range(VISITORS * TABS)))
        disturbing.cancel()
        while stage.service._fights.tasks:
            await settle()
        check_all(stage, crowd)
        assert len(crowd.stored) > 20  # guards the test: all of this did happen
        assert {"given up", "The arena cannot write to its ledger at the moment"} <= crowd.refused.keys()
        assert {state for (state,) in stage.rows("SELECT state FROM battles")} >= {"voted", "void", "ready"}

    with closing(Store(tmp_path / "arena.db")) as store:
        slow_down(store, rng)
        run(test(store))
    assert "unexpected error" not in caplog.text
