"""The service behind the page: start a battle, look at it, vote on it, within the limits and recorded in the ledger.

A battle's task and buffers live here, on the server, and a page only looks at them, so a closed tab, a reload or a slow
connection does not change the battle. The order makes it safe: a battle is in the ledger before its first token, its
replies are stored before it can be voted on, and its vote is on disk before anyone is named.
"""

import asyncio
import logging
import math
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from arena.backends.base import Backend, BackendError, PromptTooLong
from arena.battle import LEFT, SKIPPED, VOTED_BEFORE, Battle, BattleError, State
from arena.bench import Bench
from arena.contestants import Contestant, names_of
from arena.fight import Fights, must_stop
from arena.guard.limits import Limits, TooMany, network
from arena.guard.prompt_checks import PromptRefused, check_prompt
from arena.ledger.store import LedgerUnavailable, Store, VoteRefused
from arena.pace import Pace, Speeds
from arena.pairing import draw_pair
from common.conversation import Conversation
from common.words import plural
from ratings.outcomes import Outcome

HEALTH_SECONDS = 1.0  # how long a check of the ledger is valid
LEDGER_SECONDS = 1.0  # how long a visitor who skips waits for the ledger
KEPT_BATTLES = 2000  # in memory; older ones are read back from the ledger
MAX_RUNNING = 64
MAX_RUNNING_OF_ADDRESS = 48
TIMED_REPLIES = 400  # read from the ledger at the start, so that the pace of the first battles is right

NOT_STORED = "The arena cannot write to its ledger at the moment, so {}. Try again in a moment."

log = logging.getLogger(__name__)


class Service:
    """What a page needs: start a battle, look at it, vote on it. Use from one event loop."""

    def __init__(
        self,
        contestants: tuple[Contestant, ...],
        backends: Mapping[str, Backend],
        store: Store,
        *,
        categories: Mapping[str, str] | None = None,
        rng: random.Random | None = None,
        reply_seconds: float | None = None,
        limits: Limits | None = None,
        is_paced: bool = True,
        bench: Bench | None = None,
    ) -> None:
        """Take categories of ready prompts, by their text; reply_seconds replaces the contestants' own limits.

        Without is_paced a battle is ready as soon as both replies are written, which suits simulated voters.
        """
        self._categories = categories or {}
        self._contestants = {contestant.name: contestant for contestant in contestants}
        self._backends = backends
        self._store = store
        self._rng = rng or random.SystemRandom()
        self._is_paced = is_paced
        self.limits = limits
        self.bench = bench or Bench()
        self._unfit: dict[str, str] = {}  # contestants that failed on their last prompt; the prompt
        self._speeds = Speeds()
        for timed in store.recent_replies(TIMED_REPLIES):
            self._speeds.learn(*timed)
        self._fights = Fights(
            self._contestants,
            backends,
            store,
            names=names_of(contestants),
            rng=self._rng,
            reply_seconds=reply_seconds,
            bench=self.bench,
            speeds=self._speeds,
        )
        self._battles: OrderedDict[str, Battle] = OrderedDict()
        self._starting: dict[str, tuple[object, asyncio.Task[Battle]]] = {}
        self._places: dict[object, str] = {}  # the address of each running or starting battle
        self._being_voted: set[str] = set()
        self._known_lost: set[str] = set()
        self._begun = 0  # battles so far: shows a reader of the ledger whether one began in the meantime
        self._health: tuple[float, asyncio.Future[str]] | None = None

    async def start(self, visitor: str, text: object, address: str = "") -> Battle:
        """Check the prompt, draw a pair and start both replies; return without waiting for them.

        A visitor has one battle at a time: the same prompt sent twice is one battle, and the next prompt ends a battle
        that waits for a vote.

        Raises:
            PromptRefused: the prompt starts no battle; nothing was stored.
            BattleError: too many battles are running, or nothing can be stored.
        """
        prompt = check_prompt(text)
        if running := next((b for b in self._running() if b.visitor == visitor), None):
            if running.prompt == prompt:
                return running
            raise BattleError("Your last battle is still being written: wait for it to end.")
        if visitor in self._starting:
            asked, starting = self._starting[visitor]
            if asked != prompt:
                raise BattleError("Your last prompt is just being sent: wait for its battle.")
            return await asyncio.shield(starting)
        task = self._fights.spawn(self._start(visitor, prompt, address))
        self._starting[visitor] = prompt, task
        task.add_done_callback(lambda _: self._starting.pop(visitor))
        # The battle goes on if its visitor's request is cancelled.
        return await asyncio.shield(task)

    async def _start(self, visitor: str, prompt: str, address: str) -> Battle:
        place = self._take_place(visitor, address)
        try:
            names = self._candidates()
            unfit = await self._require_room_for(prompt, names)
            battle = await self._draw(visitor, prompt, [name for name in names if name not in unfit])
            if await asyncio.to_thread(self._store.has_voted, visitor, prompt):
                battle.flag = VOTED_BEFORE
            await asyncio.to_thread(self._store.begin, battle)
        except LedgerUnavailable as error:
            self._places.pop(place)
            log.error("no battle can begin: %s", error)
            raise BattleError(NOT_STORED.format("no battle can begin")) from None
        except BaseException:
            self._places.pop(place)
            raise
        self._begun += 1
        self._battles[battle.id] = battle
        self._leave_others(battle)
        self._forget_old()
        fight = self._fights.spawn(self._fights.fight(battle))
        fight.add_done_callback(lambda _: self._places.pop(place))
        return battle

    def _candidates(self) -> list[str]:
        """Return who may be drawn: who is still being started only where fewer than two others are ready."""
        names = self.bench.available(self._contestants)
        ready = [name for name in names if not self._backends[name].is_loading]
        return ready if len(ready) >= 2 else names

    async def _draw(self, visitor: str, prompt: str, names: list[str]) -> Battle:
        """Draw a pair and wait until both could begin; who cannot be loaded is benched, and another is drawn."""
        while True:
            names = self.bench.available(names)
            if len(names) < 2:
                raise BattleError("No two models can answer at the moment. Try again in a minute.")
            draw = draw_pair(names, self._rng)
            loads = await asyncio.gather(*(self._backends[name].load() for name in draw.pair), return_exceptions=True)
            if not any(loads):
                break
            for name, error in zip(draw.pair, loads, strict=True):
                if error is not None:
                    self.bench.fail(name, str(error) or type(error).__name__)
        pace = self._speeds.pace(draw.pair) if self._is_paced else Pace(math.inf)
        return Battle(visitor, prompt, draw, self._categories.get(prompt, ""), pace=pace)

    async def vote(self, visitor: str, battle_id: str, outcome: Outcome) -> Battle:
        """Store a vote and return the battle, which may now be revealed.

        Raises:
            BattleError: the visitor has no such battle, it takes no vote now, or the vote could not be stored. Nothing
                was changed.
        """
        battle = await self.find(battle_id)
        if battle is None:
            raise BattleError("There is no battle to vote on: start a new one.")
        battle.require_votable(visitor)
        if battle_id in self._being_voted:
            raise BattleError("Your vote on this battle is being stored.")
        self._being_voted.add(battle_id)
        # The vote is stored even if its visitor's request is cancelled.
        return await asyncio.shield(self._fights.spawn(self._vote(battle, outcome)))

    async def _vote(self, battle: Battle, outcome: Outcome) -> Battle:
        try:
            battle.flag = await asyncio.to_thread(self._store.vote, battle.id, battle.visitor, outcome)
            battle.record_vote(outcome)
        except VoteRefused:
            self._battles.pop(battle.id, None)  # out of date: read it from the ledger the next time
            raise BattleError("This battle takes no vote any more: start a new one.") from None
        except LedgerUnavailable as error:
            log.error("the vote on battle %s could not be stored: %s", battle.id, error)
            raise BattleError(NOT_STORED.format("your vote is not stored yet")) from None
        finally:
            self._being_voted.discard(battle.id)
        return battle

    async def skip(self, visitor: str, battle_id: str) -> None:
        """End a battle that the visitor leaves without a vote; one that is being written or has ended stays."""
        battle = await self.find(battle_id)
        is_free = battle_id not in self._being_voted
        if battle and is_free and battle.visitor == visitor and battle.state is State.READY:
            # The battle is over at once; storing that is waited for only briefly, and goes on in the background.
            await asyncio.wait({self._fights.void(battle, SKIPPED)}, timeout=LEDGER_SECONDS)

    async def open_battle(self, visitor: str) -> Battle | None:
        """Return the visitor's newest battle that is being written or waits for a vote, also from before a restart.

        Waits for one that is just starting; raises as start does.
        """
        if visitor in self._starting:
            return await asyncio.shield(self._starting[visitor][1])
        for battle in reversed(self._battles.values()):
            if battle.visitor == visitor and battle.state in (State.GENERATING, State.READY):
                return battle
        stored = await self._read(self._store.open_battle, visitor)
        return stored if stored and stored.state is State.READY else None

    async def lost_battle(self, visitor: str) -> Battle | None:
        """Return the visitor's newest battle if a restart or a model made it fail lately, but only once; else None."""
        lost = await self._read(self._store.lost_battle, visitor)
        if lost is None or lost.id in self._known_lost:
            return None
        self._known_lost.add(lost.id)
        return lost

    async def find(self, battle_id: str) -> Battle | None:
        """Return a battle from memory or the ledger, None if there is none with this id."""
        if not battle_id or battle_id in self._battles:
            return self._battles.get(battle_id)
        return await self._read(self._store.battle, battle_id)

    @property
    def loading(self) -> tuple[int, int]:
        """Return how many contestants are still being started, and how many there are."""
        return sum(self._backends[name].is_loading for name in self._contestants), len(self._contestants)

    async def health(self) -> dict[str, Any]:
        """Return the arena's health for monitoring; the ledger is checked at most once per HEALTH_SECONDS.

        status is "ok" if battles can be fought and votes stored, else "failing"; benched lists the contestants that are
        not drawn, with their failures in a row and the seconds left; failed lists those that cannot be loaded.
        """
        if self._health is None or time.monotonic() - self._health[0] > HEALTH_SECONDS:
            self._health = time.monotonic(), asyncio.ensure_future(self._check_ledger())
        ledger = await asyncio.shield(self._health[1])
        benched = {
            name: {"failures": failures, "seconds": round(left)}
            for name, (failures, left) in self.bench.absent().items()
        }
        failed = sorted(name for name in self._contestants if self._backends[name].failure)
        is_ok = ledger == "ok" and len(self._contestants.keys() - benched.keys() - set(failed)) >= 2
        models = "loading" if self.loading[0] else "loaded"
        return {
            "status": "ok" if is_ok else "failing",
            "ledger": ledger,
            "models": models,
            "failed": failed,
            "benched": benched,
        }

    async def _check_ledger(self) -> str:
        try:
            await asyncio.to_thread(self._store.check)
        except LedgerUnavailable as error:
            log.error("health check: %s", error)
            return "cannot be written"
        return "ok"

    async def _read(self, read: Callable[[str], Battle | None], key: str) -> Battle | None:
        """Return a battle from the ledger, always as the same object for the same battle."""
        begun = -1
        while begun != self._begun:  # a battle that began meanwhile may have ended the one just read
            begun = self._begun
            try:
                battle = await asyncio.to_thread(read, key)
            except LedgerUnavailable as error:
                log.error("no battle can be read back: %s", error)
                raise BattleError(NOT_STORED.format("nothing can be done with this battle")) from None
        if battle and battle.state is State.GENERATING:
            battle.make_void("nobody runs it any more")  # if it were running, it would be in memory
            return battle
        return battle and self._battles.setdefault(battle.id, battle)

    def _running(self) -> list[Battle]:
        return [b for b in self._battles.values() if b.state is State.GENERATING]

    def _leave_others(self, battle: Battle) -> None:
        for other in self._battles.values():
            is_left = other.visitor == battle.visitor and other is not battle and other.state is State.READY
            if is_left and other.id not in self._being_voted:  # else the ledger decides which came first
                other.make_void(LEFT)

    def _forget_old(self) -> None:
        for old in list(self._battles.values())[: max(0, len(self._battles) - KEPT_BATTLES)]:
            if old.state is not State.GENERATING and old.id not in self._being_voted:
                del self._battles[old.id]

    def _take_place(self, visitor: str, address: str) -> object:
        same = sum(where == network(address) for where in self._places.values()) if address else 0
        if len(self._places) >= MAX_RUNNING or same >= MAX_RUNNING_OF_ADDRESS:
            raise BattleError("Many battles are being fought right now. Try again in a moment.")
        try:
            if self.limits:
                self.limits.take(visitor, address)
        except TooMany as reached:
            who = "You have" if reached.whose == "visitor" else "Your network has"
            raise BattleError(
                f"{who} started too many battles: try again in {plural(reached.seconds, 'second')}."
            ) from None
        place = object()
        self._places[place] = network(address)
        return place

    async def _require_room_for(self, prompt: str, names: list[str]) -> set[str]:
        """Ask every contestant that may be drawn, not only the two, so that a refusal reveals nothing about the pair.

        Returns those that fail on the prompt. One that fails on two different prompts in a row is benched. One prompt
        alone does not suffice: else a visitor who knows a prompt that breaks a chat template could remove a contestant.
        """
        answers = await asyncio.gather(*(self._ask(name, prompt) for name in names))
        rooms = [answer.room for answer in answers if isinstance(answer, PromptTooLong)]
        if rooms:
            raise PromptRefused(f"That prompt is too long for these models: keep it under {min(rooms)} characters.")
        return {name for name, answer in zip(names, answers, strict=True) if answer is not None}

    async def _ask(self, name: str, prompt: str) -> Exception | None:
        """Return None if a contestant can be asked a prompt, a PromptTooLong, or another error that is its own fault.

        Raises:
            PromptRefused: the prompt holds a control token of its model.
        """
        contestant = self._contestants[name]
        try:
            asked = Conversation.ask(prompt, contestant.system)
            await self._backends[name].check(asked, contestant.prompt, contestant.sampling)
        except PromptTooLong as error:
            return error
        except PromptRefused:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if must_stop():
                raise
            # The fault of this contestant, which must not stop the others.
            reason = str(error) or type(error).__name__
            if self._unfit.setdefault(name, prompt) != prompt:
                self.bench.fail(name, reason)
            else:
                log.warning("%s cannot be asked this prompt: %s", name, reason)
            return BackendError(reason)
        self._unfit.pop(name, None)
        return None
