"""Host battles: draw the contestants, stream both replies, keep the ledger, take the vote.

A battle's task and buffers live here, on the server; a page only looks at them, so a closed tab, a reload or a slow
reader changes nothing for the battle. Order is what makes it safe: a battle is in the ledger before its first token,
its replies are stored before it can be voted on, and its vote is on disk before anyone is named.
"""

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import aclosing

from arena.backends import Backend, BackendError, PromptTooLong, Reply, Request
from arena.battle import SIDES, Battle, BattleError, Side, State
from arena.config import Contestant
from arena.guard import PromptRefused, check_prompt
from arena.matchmaking import draw_pair
from arena.store import Store, VoteRefused
from ratings.outcomes import Outcome

REPLY_SECONDS = 60.0
KEPT_BATTLES = 2000  # in memory; older ones that wait for a vote are read back from the ledger
MAX_RUNNING = 64
MAX_RUNNING_OF_VISITOR = 2

log = logging.getLogger(__name__)


class Host:
    """Everything a page needs: start a battle, look at it, vote on it. Use from one event loop."""

    def __init__(
        self,
        contestants: tuple[Contestant, ...],
        backends: Mapping[str, Backend],
        store: Store,
        *,
        categories: Mapping[str, str] | None = None,
        rng: random.Random | None = None,
        reply_seconds: float = REPLY_SECONDS,
    ) -> None:
        """Categories gives the category of a ready prompt, by its text."""
        self._categories = categories or {}
        self._contestants = {contestant.name: contestant for contestant in contestants}
        self._backends = backends
        self._store = store
        self._rng = rng or random.SystemRandom()
        self._reply_seconds = reply_seconds
        self._battles: OrderedDict[str, Battle] = OrderedDict()
        self._being_voted: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, visitor: str, text: object) -> Battle:
        """Check the prompt, draw a pair and let both begin to write; return at once.

        Raises:
            PromptRefused: the prompt starts no battle; nothing was stored.
            BattleError: too many battles are running.
        """
        prompt = check_prompt(text)
        await self._require_room_for(prompt)
        running = [b for b in self._battles.values() if b.state is State.GENERATING]
        if len(running) >= MAX_RUNNING:
            raise BattleError("Many battles are being fought right now. Try again in a moment.")
        if sum(b.visitor == visitor for b in running) >= MAX_RUNNING_OF_VISITOR:
            raise BattleError("Your last battle is still being written: wait for it to end.")
        draw = draw_pair(list(self._contestants), self._rng)
        battle = Battle(visitor, prompt, draw, self._categories.get(prompt, ""))
        self._remember(battle)
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._begin_and_fight(battle, begun))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # The battle goes on whatever becomes of its visitor's request.
        await asyncio.shield(begun)
        return battle

    async def vote(self, visitor: str, battle_id: str, outcome: Outcome) -> Battle:
        """Store a vote and return the battle, which may now be revealed.

        Raises:
            BattleError: no such battle of this visitor, or its state takes no vote. Nothing was changed.
        """
        battle = self._battles.get(battle_id)
        if battle is None:
            raise BattleError("There is no battle to vote on: start a new one.")
        battle.require_votable(visitor)
        if battle_id in self._being_voted:
            raise BattleError("Your vote on this battle is being stored.")
        self._being_voted.add(battle_id)
        try:
            await asyncio.to_thread(self._store.vote, battle_id, visitor, outcome)
            battle.record_vote(outcome)
        except VoteRefused:
            raise BattleError("This battle takes no vote any more: start a new one.") from None
        finally:
            self._being_voted.discard(battle_id)
        return battle

    async def skip(self, visitor: str, battle_id: str) -> None:
        """End a battle that the visitor leaves without a vote; one that runs, or has ended, is let be."""
        battle = self._battles.get(battle_id)
        is_free = battle_id not in self._being_voted
        if battle and is_free and battle.visitor == visitor and battle.state is State.READY:
            await self._void(battle, "skipped by the visitor")

    async def open_battle(self, visitor: str) -> Battle | None:
        """Return the visitor's newest battle that runs or waits for a vote, also from before a restart."""
        for battle in reversed(self._battles.values()):
            if battle.visitor == visitor and battle.state in (State.GENERATING, State.READY):
                return battle
        battle_from_ledger = await asyncio.to_thread(self._store.open_battle, visitor)
        if battle_from_ledger is None:
            return None
        # Another tab may have brought it back in the meantime: there is one object a battle.
        known = self._battles.get(battle_from_ledger.id)
        if known is None:
            self._remember(battle_from_ledger)
            return battle_from_ledger
        return known if known.state is State.READY else None

    def find(self, battle_id: str) -> Battle | None:
        """Return a battle that is in memory."""
        return self._battles.get(battle_id)

    def _remember(self, battle: Battle) -> None:
        self._battles[battle.id] = battle
        for old in list(self._battles.values())[: len(self._battles) - KEPT_BATTLES]:
            if old.state is not State.GENERATING:
                del self._battles[old.id]

    async def _require_room_for(self, prompt: str) -> None:
        """Ask every contestant, not only the two drawn, so that a refusal tells nothing about who would meet."""
        rooms = []
        for name, contestant in self._contestants.items():
            try:
                await self._backends[name].check(prompt, contestant.prompt, contestant.sampling)
            except PromptTooLong as error:
                rooms.append(error.room)
            except BackendError:
                # A contestant that cannot answer voids its battle later, where that is recorded.
                continue
        if rooms:
            raise PromptRefused(f"That prompt is too long for these models: keep it under {min(rooms)} characters.")

    async def _begin_and_fight(self, battle: Battle, begun: "asyncio.Future[None]") -> None:
        try:
            await asyncio.to_thread(self._store.begin, battle)
        except Exception as error:  # handed to the visitor's request, which may be gone: so it is logged too
            log.exception("battle %s cannot be recorded", battle.id)
            del self._battles[battle.id]
            begun.set_exception(error)
            return
        begun.set_result(None)
        await self._fight(battle)

    async def _fight(self, battle: Battle) -> None:
        try:
            await asyncio.wait_for(self._write_both(battle), self._reply_seconds)
            await asyncio.to_thread(self._store.finish, battle)
            battle.make_ready()
        except TimeoutError:
            await self._void(battle, f"no reply within {self._reply_seconds:g} s")
        except Exception as error:  # the edge of the task: whatever went wrong, the battle ends and says so
            first = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
            if not isinstance(first, BackendError):
                log.exception("battle %s failed", battle.id)
            await self._void(battle, str(first))

    async def _write_both(self, battle: Battle) -> None:
        async with asyncio.TaskGroup() as group:
            for side in SIDES:
                group.create_task(self._write(battle, side))

    async def _write(self, battle: Battle, side: Side) -> None:
        contestant = self._contestants[battle.contestant(side)]
        request = Request(battle.prompt, contestant.prompt, contestant.sampling, self._rng.getrandbits(63))
        async with aclosing(self._backends[contestant.name].stream(request)) as events:  # type: ignore[type-var]
            async for event in events:
                if isinstance(event, Reply):
                    battle.finish(side, event)
                else:
                    battle.extend(side, event)

    async def _void(self, battle: Battle, reason: str) -> None:
        log.warning("battle %s is void: %s", battle.id, reason)
        battle.make_void(reason)
        await asyncio.to_thread(self._store.void, battle.id, reason)
