"""From the start of a battle to its vote: both replies are written, shown at one pace and stored, or it is void."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from arena.backends.base import Backend, BackendError, PromptTooLong, Reply, Request
from arena.battle import SAME_REPLIES, SIDES, SKIPPED, Battle, BattleError, Side
from arena.bench import Bench
from arena.contestants import Contestant
from arena.guard.identity import find_name
from arena.guard.prompt_checks import PromptRefused
from arena.ledger.store import LedgerUnavailable, Store, StoreError
from arena.pace import Speeds

GRACE_SECONDS = 10.0  # that a backend gets beyond max_seconds to end a reply itself
STORE_TRIES = 5  # to store replies, or the end of a battle
STORE_PAUSE = 1.0  # seconds before the second try; it doubles with every try
LOOK_SECONDS = 0.05  # between two updates of what is shown

NAMED = "a reply names a model"

FORESEEN = (BattleError, PromptRefused, StoreError)

log = logging.getLogger(__name__)


class ContestantFailed(Exception):
    """One contestant wrote no reply."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name, self.reason = name, reason


class Fights:
    """The battles that are being written, each by tasks of its own. Use from one event loop."""

    def __init__(
        self,
        contestants: Mapping[str, Contestant],
        backends: Mapping[str, Backend],
        store: Store,
        *,
        names: tuple[str, ...],
        rng: random.Random,
        reply_seconds: float | None,
        bench: Bench,
        speeds: Speeds,
    ) -> None:
        """Take the names to look for in replies; reply_seconds, if given, replaces the contestants' own limits."""
        self._contestants, self._backends, self._store = contestants, backends, store
        self._names, self._rng, self._reply_seconds = names, rng, reply_seconds
        self._bench, self._speeds = bench, speeds
        self.tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Any) -> "asyncio.Task[Any]":
        """Run something to its end as a task, even if its caller goes away."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._end)
        return task

    def _end(self, task: "asyncio.Task[Any]") -> None:
        self.tasks.discard(task)
        # The caller may be gone, so unexpected errors are logged here.
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, FORESEEN):
            log.error("a task failed with an unexpected error", exc_info=error)

    async def fight(self, battle: Battle) -> None:
        """Write both replies and store them, or make the battle void."""
        begun = asyncio.get_running_loop().time()  # of both, so that two of one limit that hang fail together
        try:
            async with asyncio.TaskGroup() as group:
                for side in SIDES:
                    group.create_task(self._write(battle, side, begun))
                group.create_task(self._show(battle))
            if battle.has_same_replies:
                battle.make_void(SAME_REPLIES)
            else:
                battle.make_ready()
        except Exception as error:  # the edge of the task: any error makes the battle void
            errors = error.exceptions if isinstance(error, ExceptionGroup) else [error]
            for each in errors:
                if isinstance(each, ContestantFailed):
                    self._bench.fail(each.name, each.reason)
                elif not isinstance(each, LedgerUnavailable | PromptTooLong):
                    log.error("battle %s failed", battle.id, exc_info=each)
            is_lost = isinstance(errors[0], LedgerUnavailable)
            await self.void(battle, "its replies could not be stored" if is_lost else str(errors[0]))

    async def _show(self, battle: Battle) -> None:
        """Advance what is shown until both replies are shown whole; store them as soon as they are written."""
        last, stored = time.monotonic(), None
        while not (stored and stored.done() and battle.pace.is_done):
            await asyncio.sleep(LOOK_SECONDS)
            now = time.monotonic()
            battle.advance(now - last)
            last = now
            if stored is None and len(battle.replies) == len(SIDES):
                if find_name("\n\n".join(battle.texts.values()), self._names):
                    battle.flag = NAMED
                stored = self.spawn(self._keep_storing(battle, self._store.finish, battle))
        await stored

    async def _keep_storing(self, battle: Battle, store: Callable[..., None], *values: object) -> None:
        for turn in range(STORE_TRIES):
            try:
                await asyncio.to_thread(store, *values)
                return
            except LedgerUnavailable as error:
                log.error("battle %s could not be stored: %s", battle.id, error)
                if turn == STORE_TRIES - 1:
                    raise
                await asyncio.sleep(STORE_PAUSE * 2**turn)

    async def _write(self, battle: Battle, side: Side, begun: float) -> None:
        name = battle.contestant(side)
        contestant = self._contestants[name]
        asked = battle.conversation(side, contestant.system)
        request = Request(asked, contestant.prompt, contestant.sampling, self._rng.getrandbits(63))
        limit = self._reply_seconds or contestant.sampling.max_seconds + GRACE_SECONDS
        try:
            async with (
                asyncio.timeout_at(begun + limit) as clock,
                aclosing(self._backends[name].stream(request)) as events,  # type: ignore[type-var]
            ):
                async for event in events:
                    if isinstance(event, Reply):
                        battle.finish(side, _with_system(event, asked.system))
                        self._speeds.learn(name, len(event.text), event.seconds, event.first_seconds)
                        self._bench.succeed(name)
                        break
                    battle.extend(side, event)
        except PromptTooLong:  # no fault of the contestant
            raise
        except (Exception, asyncio.CancelledError) as error:
            if must_stop():  # the other side failed, or the server stops
                raise
            if isinstance(error, TimeoutError) and clock.expired():
                raise ContestantFailed(name, f"no reply within {limit:g} s") from None
            if not isinstance(error, BackendError):
                log.error("battle %s: %s failed with an unexpected error", battle.id, name, exc_info=error)
            raise ContestantFailed(name, str(error) or type(error).__name__) from None
        if side not in battle.replies:
            raise ContestantFailed(name, "its backend stopped without a final record")

    def void(self, battle: Battle, reason: str) -> "asyncio.Task[None]":
        """Make a battle void; return the task that writes it to the ledger."""
        level = logging.INFO if reason == SKIPPED else logging.WARNING
        log.log(level, "battle %s is void: %s", battle.id, reason)
        battle.make_void(reason)
        return self.spawn(self._keep_storing(battle, self._store.void, battle.id, reason))


def _with_system(reply: Reply, system: str) -> Reply:
    """Return a reply whose recipe also holds the system's message: added here once, for backends of every kind."""
    return replace(reply, recipe=reply.recipe | {"system": system}) if system else reply


def must_stop() -> bool:
    """Return whether this task itself is being cancelled, and not only what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
