"""app.py --check: every contestant is loaded and asked, and what is wrong is said by name."""

import asyncio
import io
from collections.abc import AsyncIterator

from arena.backends.base import BackendError, Reply, Request
from arena.check import PROMPT, check_contestants
from tests.arena.helpers.played import PlayedBackend, make_contestant, make_reply


def table(backends: dict[str, PlayedBackend]) -> tuple[int, list[str]]:
    out = io.StringIO()
    contestants = [make_contestant(name) for name in backends]
    return asyncio.run(check_contestants(contestants, backends, out)), out.getvalue().splitlines()


def test_those_that_can_fight_are_shown_with_their_speed_and_words() -> None:
    reply = make_reply("It is\n cold. " * 20, tokens=25, seconds=2.5, first_seconds=0.5)
    failed, (_, alder, total) = table({"alder": PlayedBackend(reply)})
    assert failed == 0
    name, kind, verdict, load, _, first, _, speed, said = alder.split(maxsplit=8)
    assert (name, kind, verdict, load, first, speed) == ("alder", "transformers", "ok", "0.0", "0.50", "10")
    assert said.startswith("'It is cold. It is cold.")
    assert len(said) == 62
    assert total == "1 of 1 contestant can fight"


def test_each_way_of_failing_is_one_line_and_stops_nobody() -> None:
    unloadable, unaskable, silent, endless = PlayedBackend(), PlayedBackend(), PlayedBackend(), Endless()
    unloadable.load_error = BackendError("no weights\nat all")
    unaskable.check_error = BackendError("its template fails")
    silent.play(OSError())
    failed, rows = table({"a1": unloadable, "b1": unaskable, "c1": silent, "d1": endless, "e1": PlayedBackend("Cold.")})
    assert failed == 4
    assert [("FAILS" in row, row.rsplit("  ", 1)[-1]) for row in rows[1:-1]] == [
        (True, "no weights at all"),
        (True, "its template fails"),
        (True, "OSError"),
        (True, "its backend stopped without a final record"),
        (False, "'Cold.'"),
    ]
    assert rows[-1] == "1 of 5 contestants can fight"


def test_the_prompt_is_short_and_goes_to_the_model_as_a_battle_would() -> None:
    backend = PlayedBackend("Cold.")
    table({"alder": backend})
    [request] = backend.requests
    assert (request.conversation.prompt, request.sampling.max_tokens) == (PROMPT, 32)


class Endless(PlayedBackend):
    """Ends without a record."""

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        yield "x"
