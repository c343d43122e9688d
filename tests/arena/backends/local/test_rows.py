"""One request in a batch: how its events reach the reader."""

import asyncio

from arena.backends.base import BackendError, Reply, Request
from arena.backends.local.rows import Row
from arena.contestants import ChatStyle, Sampling
from common.conversation import Conversation

REQUEST = Request(Conversation.ask("Why?"), ChatStyle(style="chat"), Sampling(max_seconds=0.5), 1)
REPLY = Reply("x", "end", 1, 1, 0.1, 0.1, {})


def test_events_from_another_thread_arrive_in_order() -> None:
    async def test() -> list[object]:
        row = Row(REQUEST, asyncio.get_running_loop(), [1])
        events = ("a", "b", REPLY)
        await asyncio.to_thread(lambda: [row.send(event) for event in events])
        return [await asyncio.wait_for(row.events.get(), 20) for _ in events]

    assert asyncio.run(test()) == ["a", "b", REPLY]


def test_a_failed_row_is_done_and_its_reader_gets_the_reason() -> None:
    async def test() -> None:
        row = Row(REQUEST, asyncio.get_running_loop(), [1])
        assert not row.is_done
        row.fail("broken")
        assert row.is_done
        error = await asyncio.wait_for(row.events.get(), 20)
        assert isinstance(error, BackendError)
        assert str(error) == "broken"

    asyncio.run(test())


def test_a_row_whose_reader_has_gone_sends_nothing() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    Row(REQUEST, loop, [1]).send("text")


def test_a_row_is_overdue_after_its_seconds() -> None:
    loop = asyncio.new_event_loop()
    row = Row(REQUEST, loop, [1])
    assert not row.is_overdue
    row.began -= 0.6
    assert row.is_overdue
    loop.close()
