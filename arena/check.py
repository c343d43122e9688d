"""app.py --check: load every contestant, ask each a short prompt, and show which of them can fight.

One after the other, so that the figures are those of one reply alone and memory suffices for the largest.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TextIO

from arena.backends.base import Backend, Reply, Request
from arena.contestants import Contestant
from common.conversation import Conversation
from common.words import plural

PROMPT = "What is the opposite of hot?"
MOST_TOKENS = 32
LOAD_SECONDS = 900.0  # an engine may have to be started, weights to be read from a slow disk
SHOWN = 60  # characters of a reply

_HEAD = ("contestant", "backend", "", "load", "first token", "tokens/s", "says")


@dataclass(frozen=True)
class Checked:
    """What came of one contestant; seconds, and tokens a second from the request to the end."""

    name: str
    backend: str
    load: float = 0.0
    reply: Reply | None = None
    problem: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """Return its row."""
        if self.reply is None:
            return self.name, self.backend, "FAILS", f"{self.load:.1f} s", "", "", self.problem
        speed = f"{self.reply.tokens / self.reply.seconds:.0f}" if self.reply.seconds > 0 else ""
        said = " ".join(self.reply.text.split())
        shown = repr(said if len(said) <= SHOWN else f"{said[: SHOWN - 1]}…")
        return (
            self.name,
            self.backend,
            "ok",
            f"{self.load:.1f} s",
            f"{self.reply.first_seconds:.2f} s",
            speed,
            shown if said else "(nothing)",
        )


async def check_contestants(contestants: Sequence[Contestant], backends: Mapping[str, Backend], out: TextIO) -> int:
    """Print a row for each contestant as it is done; return how many failed."""
    width = max(len(_HEAD[0]), *(len(contestant.name) for contestant in contestants))
    _print(_HEAD, width, out)
    failed = 0
    for contestant in contestants:
        checked = await check_one(contestant, backends[contestant.name])
        failed += checked.reply is None
        _print(checked.cells, width, out)
    fit = len(contestants) - failed
    print(f"{fit} of {plural(len(contestants), 'contestant')} can fight", file=out, flush=True)
    return failed


async def check_one(contestant: Contestant, backend: Backend) -> Checked:
    """Load one contestant and let it write one reply; whatever fails is its problem, in one line."""
    kind = str(getattr(contestant, "backend", ""))
    began = time.monotonic()
    loaded = None
    try:
        async with asyncio.timeout(LOAD_SECONDS):
            await backend.load()
        loaded = time.monotonic() - began
        return Checked(contestant.name, kind, loaded, await _reply(contestant, backend))
    except TimeoutError:
        problem = f"did not load within {LOAD_SECONDS:g} s" if loaded is None else "did not reply in time"
    except Exception as error:  # the table is the place for any error
        problem = " ".join(str(error).split()) or type(error).__name__
    return Checked(contestant.name, kind, time.monotonic() - began if loaded is None else loaded, problem=problem)


async def _reply(contestant: Contestant, backend: Backend) -> Reply:
    sampling = contestant.sampling.model_copy(
        update={"max_tokens": min(contestant.sampling.max_tokens, MOST_TOKENS), "at_limit": "cut"}
    )
    conversation = Conversation.ask(PROMPT, contestant.system)
    await backend.check(conversation, contestant.prompt, sampling)
    request = Request(conversation, contestant.prompt, sampling, seed=1)
    async with asyncio.timeout(sampling.max_seconds * 2), aclosing(backend.stream(request)) as events:  # type: ignore[type-var]
        async for event in events:
            if isinstance(event, Reply):
                return event
    raise RuntimeError("its backend stopped without a final record")


def _print(cells: Sequence[str], width: int, out: TextIO) -> None:
    name, kind, verdict, load, first, speed, said = cells
    line = f"{name:{width}}  {kind:12}  {verdict:5}  {load:>7}  {first:>11}  {speed:>8}  {said}"
    print(line.rstrip(), file=out, flush=True)
