"""What a page asks for: start a battle, look at it, vote on it, with the ledger and the limits in between.

A battle's task and buffers live here, on the server; a page only looks at them, so a closed tab, a reload or a slow
reader changes nothing for the battle. Order is what makes it safe: a battle is in the ledger before its first token,
its replies are stored before it can be voted on, and its vote is on disk before anyone is named.
"""

import asyncio
import logging
import math
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from arena.backends.base import Backend, PromptTooLong
from arena.battle import LEFT, SKIPPED, VOTED_BEFORE, Battle, BattleError, State
from arena.bench import Bench
from arena.contestants import Contestant, names_of
from arena.fight import Fights, must_stop
from arena.ledger.store import LedgerUnavailable, Store, VoteRefused
from arena.limits import Limits, TooMany, network
from arena.pace import Pace, Speeds
from arena.pairing import draw_pair
from arena.prompt_checks import PromptRefused, check_prompt
from common.words import plural
from ratings.outcomes import Outcome

HEALTH_SECONDS = 1.0  # how long what was found about the ledger is believed
LEDGER_SECONDS = 1.0  # for which a visitor who skips waits for the ledger
KEPT_BATTLES = 2000  # in memory; older ones are read back from the ledger
MAX_RUNNING = 64
MAX_RUNNING_OF_ADDRESS = 48
TIMED_REPLIES = 400  # of the ledger, read at the start so that the first battles already keep their pace

NOT_STORED = "The arena cannot write to its ledger at the moment, so {}. Try again in a moment."

log = logging.getLogger(__name__)


class Service:
    """Everything a page needs: start a battle, look at it, vote on it. Use from one event loop."""

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
        """Categories gives the category of a ready prompt, by its text; reply_seconds replaces the contestants' own.

        Without is_paced a battle ends as soon as both replies are written: for voters that are programs.
        """
        self._categories = categories or {}
        self._contestants = {contestant.name: contestant for contestant in contestants}
        self._backends = backends
        self._store = store
        self._rng = rng or random.SystemRandom()
        self._is_paced = is_paced
        self.limits = limits
        self.bench = bench or Bench()
        self._unfit: dict[str, str] = {}  # contestants that failed on a prompt, and on none since; the prompt
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
        self._places: dict[object, str] = {}  # the address of each battle that runs or is about to
        self._being_voted: set[str] = set()
        self._known_lost: set[str] = set()
        self._begun = 0  # battles so far, by which a reader of the ledger sees that one began in the meantime
        self._health: tuple[float, asyncio.Future[str]] | None = None

    async def start(self, visitor: str, text: object, address: str = "") -> Battle:
        """Check the prompt, draw a pair and let both begin to write; return at once.

        A visitor has one battle at a time: the same prompt sent twice is one battle, and a battle that waited for a
        vote ends with the next prompt.

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
        # The battle goes on whatever becomes of its visitor's request.
        return await asyncio.shield(task)

    async def _start(self, visitor: str, prompt: str, address: str) -> Battle:
        place = self._take_place(visitor, address)
        try:
            unfit = await self._require_room_for(prompt)
            battle = self._draw(visitor, prompt, unfit)
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

    def _draw(self, visitor: str, prompt: str, unfit: set[str]) -> Battle:
        names = [name for name in self.bench.available(self._contestants) if name not in unfit]
        if len(names) < 2:
            raise BattleError("No two models can answer at the moment. Try again in a minute.")
        draw = draw_pair(names, self._rng)
        pace = self._speeds.pace((draw.a, draw.b)) if self._is_paced else Pace(math.inf)
        return Battle(visitor, prompt, draw, self._categories.get(prompt, ""), pace=pace)

    async def vote(self, visitor: str, battle_id: str, outcome: Outcome) -> Battle:
        """Store a vote and return the battle, which may now be revealed.

        Raises:
            BattleError: no such battle of this visitor, its state takes no vote, or the vote could not be stored.
                Nothing was changed.
        """
        battle = await self.find(battle_id)
        if battle is None:
            raise BattleError("There is no battle to vote on: start a new one.")
        battle.require_votable(visitor)
        if battle_id in self._being_voted:
            raise BattleError("Your vote on this battle is being stored.")
        self._being_voted.add(battle_id)
        # A vote that is being stored is waited for, whatever becomes of its visitor's request.
        return await asyncio.shield(self._fights.spawn(self._vote(battle, outcome)))

    async def _vote(self, battle: Battle, outcome: Outcome) -> Battle:
        try:
            battle.flag = await asyncio.to_thread(self._store.vote, battle.id, battle.visitor, outcome)
            battle.record_vote(outcome)
        except VoteRefused:
            self._battles.pop(battle.id, None)  # the ledger knows better, and is asked the next time
            raise BattleError("This battle takes no vote any more: start a new one.") from None
        except LedgerUnavailable as error:
            log.error("a vote could not be stored: %s", error)
            raise BattleError(NOT_STORED.format("your vote is not stored yet")) from None
        finally:
            self._being_voted.discard(battle.id)
        return battle

    async def skip(self, visitor: str, battle_id: str) -> None:
        """End a battle that the visitor leaves without a vote; one that runs, or has ended, is let be."""
        battle = await self.find(battle_id)
        is_free = battle_id not in self._being_voted
        if battle and is_free and battle.visitor == visitor and battle.state is State.READY:
            # It is over at once; the ledger is waited for a moment, and goes on trying when nobody waits.
            await asyncio.wait({self._fights.void(battle, SKIPPED)}, timeout=LEDGER_SECONDS)

    async def open_battle(self, visitor: str) -> Battle | None:
        """Return the visitor's newest battle that runs or waits for a vote, also from before a restart.

        One that is just starting is waited for; raises as start does.
        """
        if visitor in self._starting:
            return await asyncio.shield(self._starting[visitor][1])
        for battle in reversed(self._battles.values()):
            if battle.visitor == visitor and battle.state in (State.GENERATING, State.READY):
                return battle
        found = await self._read(self._store.open_battle, visitor)
        return found if found and found.state is State.READY else None

    async def lost_battle(self, visitor: str) -> Battle | None:
        """Return the visitor's newest battle if it failed lately, by a restart or a model, once; else None."""
        lost = await self._read(self._store.lost_battle, visitor)
        if lost is None or lost.id in self._known_lost:
            return None
        self._known_lost.add(lost.id)
        return lost

    async def find(self, battle_id: str) -> Battle | None:
        """Return a battle that is in memory or in the ledger."""
        if not battle_id or battle_id in self._battles:
            return self._battles.get(battle_id)
        return await self._read(self._store.battle, battle_id)

    @property
    def is_loading(self) -> bool:
        """Say whether the weights of some contestant are still being loaded."""
        return any(backend.is_loading for backend in self._backends.values())

    async def health(self) -> dict[str, Any]:
        """Return how the arena does, for whoever watches over it; asked often, it answers with what it found lately.

        status is "ok" where battles can be fought and votes stored, else "failing"; benched says which contestants
        are not drawn, for how many seconds still and after how many failures in a row; failed, which cannot be loaded.
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
        models = "loading" if self.is_loading else "loaded"
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
            log.error("%s", error)
            return "cannot be written"
        return "ok"

    async def _read(self, read: Callable[[str], Battle | None], key: str) -> Battle | None:
        """Bring a battle back from the ledger; there is one object a battle, whoever asks for it."""
        begun = -1
        while begun != self._begun:  # one that began while this one was read may have ended it
            begun = self._begun
            try:
                found = await asyncio.to_thread(read, key)
            except LedgerUnavailable as error:
                log.error("%s", error)
                raise BattleError(NOT_STORED.format("nothing can be done with this battle")) from None
        if found and found.state is State.GENERATING:
            found.make_void("nobody runs it any more")  # or it were in memory
            return found
        return found and self._battles.setdefault(found.id, found)

    def _running(self) -> list[Battle]:
        return [b for b in self._battles.values() if b.state is State.GENERATING]

    def _leave_others(self, battle: Battle) -> None:
        for other in self._battles.values():
            is_left = other.visitor == battle.visitor and other is not battle and other.state is State.READY
            if is_left and other.id not in self._being_voted:  # of a vote, the ledger says which came first
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

    async def _require_room_for(self, prompt: str) -> set[str]:
        """Ask every contestant, not only the two drawn, so that a refusal tells nothing about who would meet.

        Returns those that fail on the prompt. One that fails on two prompts in a row goes to the bench; for one prompt
        alone it does not, or whoever finds a word that a chat template fails on could take it out of the arena.
        """
        rooms: list[int] = []
        unfit: set[str] = set()
        for name in self.bench.available(self._contestants):
            contestant = self._contestants[name]
            try:
                await self._backends[name].check(prompt, contestant.prompt, contestant.sampling)
                self._unfit.pop(name, None)
            except PromptTooLong as error:
                rooms.append(error.room)
            except PromptRefused:
                raise
            except (Exception, asyncio.CancelledError) as error:
                if must_stop():
                    raise
                # Whatever it is, it is this contestant's own, and must not stop the others.
                unfit.add(name)
                reason = str(error) or type(error).__name__
                if self._unfit.setdefault(name, prompt) != prompt:
                    self.bench.fail(name, reason)
                else:
                    log.warning("%s cannot be asked this prompt: %s", name, reason)
        if rooms:
            raise PromptRefused(f"That prompt is too long for these models: keep it under {min(rooms)} characters.")
        return unfit
