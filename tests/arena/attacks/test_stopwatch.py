"""A stopwatch on the bytes of the stream, over a hundred battles of models with very different speeds and lengths."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from arena.backends.base import Reply, Request
from tests.arena.helpers.played import PlayedBackend, make_contestant, make_reply
from tests.arena.helpers.served import Arena, serve

pytestmark = pytest.mark.slow

BATTLES = 100
AT_ONCE = 15


class Writer(PlayedBackend):
    """Writes at a speed of its own: seconds to the first token, seconds per token, and how many tokens."""

    def __init__(self, first: float, each: float, tokens: tuple[int, int]) -> None:
        super().__init__()
        self.first, self.each, self.tokens = first, each, tokens
        self.rng = random.Random(int(each * 1e6))

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        n = self.rng.randint(*self.tokens)
        await asyncio.sleep(self.first * self.rng.uniform(0.9, 1.1))
        text = ""
        for _ in range(n):
            await asyncio.sleep(self.each * self.rng.uniform(0.7, 1.3))
            text += (word := self.rng.choice(("red ", "ball ", "went ", "home ")))
            yield word
        seconds = self.first + n * self.each
        yield make_reply(text, seconds=seconds, first_seconds=self.first)


@dataclass
class Sides:
    """When something came for each side, as (seconds, bytes), and who stood on side a."""

    seen: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: {"a": [], "b": []})
    name_a: str = ""


async def battle(client: httpx.AsyncClient, events: dict[str, int], outputs: list[str], session: str) -> Sides:
    """Fight one battle as the page does, with a stopwatch on its stream; then vote, to learn who it was."""
    sides = Sides()
    data = await fire(client, events["send"], session, [f"What is {session}?"], sides, outputs)
    battle_id = str(data[outputs.index("battle")])
    data = await fire(client, events["vote-tie"], session, [battle_id], None, outputs)
    reveal = json.dumps(data[outputs.index("reveal")])
    sides.name_a = "quick" if reveal.index("quick") < reveal.index("slow") else "slow"
    return sides


async def fire(
    client: httpx.AsyncClient, event: int, session: str, data: list[str], sides: Sides | None, outputs: list[str]
) -> list[Any]:
    joined = await client.post(
        "/gradio_api/queue/join", json={"data": data, "fn_index": event, "session_hash": session}
    )
    assert joined.status_code == 200
    shown: list[Any] = [None] * len(outputs)
    async with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as stream:
        async for line in stream.aiter_lines():
            if not line.startswith("data:"):
                continue
            message = json.loads(line.removeprefix("data:"))
            if message["msg"] in ("process_generating", "process_completed"):
                sent = message["output"].get("data") or [None] * len(outputs)
                # Whole values at first and at the end, in between lists of what has changed.
                both = zip(shown, sent, strict=True)
                shown = [old if new is None or isinstance(new, list) else new for old, new in both]
                if sides and message["msg"] == "process_generating":
                    note(sides, sent, outputs)
            if message["msg"] == "process_completed":
                break
    return shown


def note(sides: Sides, sent: list[Any], outputs: list[str]) -> None:
    now = asyncio.get_running_loop().time()
    for side in "ab":
        if new := sent[outputs.index(f"side-{side}")]:
            sides.seen[side].append((now, len(json.dumps(new))))


async def fight_all(arena: Arena, n: int) -> list[Sides]:
    async with httpx.AsyncClient(base_url=arena.url, timeout=60) as first:
        page = (await first.get("/")).text
        start = page.index("{", page.index("window.gradio_config"))
        config = json.loads(page[start:].split(";</script>")[0])
    ids = {c["id"]: c["props"].get("elem_id") or "battle" for c in config["components"]}
    fired = [(target, kind, event) for event in config["dependencies"] for target, kind in event["targets"]]
    by_click = {ids.get(target): event for target, kind, event in fired if kind == "click"}
    events = {name: by_click[name]["id"] for name in ("send", "vote-tie")}
    outputs = [ids[i] for i in by_click["send"]["outputs"]]
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Sides:
        async with room, httpx.AsyncClient(base_url=arena.url, timeout=60) as client:
            await client.get("/")  # which hands out the visitor's cookie
            return await battle(client, events, outputs, f"s{number}")

    return list(await asyncio.gather(*(one(number) for number in range(n))))


MODELS = {
    "of like length": ((0.02, 0.004, (20, 40)), (0.3, 0.03, (20, 40))),
    "the quick one brief": ((0.02, 0.004, (5, 12)), (0.3, 0.03, (20, 40))),
    "the slow one brief": ((0.02, 0.004, (20, 40)), (0.3, 0.03, (5, 12))),
    "one of them so slow that both are shown while they are written": ((0.02, 0.004, (20, 40)), (0.5, 0.1, (20, 40))),
}


@pytest.mark.parametrize("models", MODELS)
def test_a_stopwatch_on_the_stream_guesses_no_better_than_chance(tmp_path: Path, models: str) -> None:
    quick, slow = MODELS[models]
    contestants = (make_contestant("quick"), make_contestant("slow"))
    with serve(tmp_path, contestants, {"quick": Writer(*quick), "slow": Writer(*slow)}) as arena:
        fought = asyncio.run(fight_all(arena, BATTLES))
    assert min(len(sides.seen[side]) for sides in fought for side in "ab") >= 3  # text did come bit by bit
    guesses = {
        "first text": lambda seen: seen["a"][1][0] - seen["b"][1][0],
        "last change": lambda seen: seen["a"][-1][0] - seen["b"][-1][0],
    }
    if "so slow" in models:
        guesses["pace at the beginning"] = lambda seen: pace(seen["b"]) - pace(seen["a"])
    else:
        guesses["number of changes"] = lambda seen: len(seen["b"]) - len(seen["a"])
    for name, guess in guesses.items():
        guesses = [guess(sides.seen) for sides in fought]
        right = sum(
            0.5 if difference == 0 else float((difference < 0) == (sides.name_a == "quick"))
            for difference, sides in zip(guesses, fought, strict=True)
        )
        assert abs(right - BATTLES / 2) <= 15, name  # three standard deviations of a fair coin


def pace(seen: list[tuple[float, int]]) -> float:
    """Return the bytes of the second update with text, per second since the first."""
    (begun, _), (then, size) = seen[1:3]
    return size / (then - begun)
