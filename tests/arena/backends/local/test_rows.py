"""One request in a batch: how its events reach the reader."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from arena.backends.base import BackendError, Reply, Request
from arena.backends.local.rows import Row, send_all
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


# Byte-level pieces: a word, a space before a word, the bytes of a euro sign, and one byte that is no letter.
PIECES = [b"Mia", b" saw", b" a", b"\xe2", b"\x82", b"\xac", b"\xff", b"\n", b"."]


def decode(ids: list[int]) -> str:
    return b"".join(PIECES[token] for token in ids).decode(errors="replace")


def decode_words(ids: list[int]) -> str:
    """Decode as SentencePiece does: words of their own, whose first space is dropped at the beginning of a text."""
    return "".join(f" {token}" for token in ids).removeprefix(" ")


@given(ids=st.lists(st.integers(0, len(PIECES) - 1), max_size=30))
def test_text_grows_token_by_token_to_what_the_whole_reply_decodes_to(ids: list[int]) -> None:
    row = Row(REQUEST, asyncio.new_event_loop(), [1])
    row.loop.close()
    for n, token in enumerate(ids, 1):
        before = row.text
        row.add(token, decode)
        assert row.text.startswith(before)
        assert decode(ids[:n]).lstrip().startswith(row.text)
    whole = decode(ids).lstrip()
    assert whole.rstrip("\ufffd").startswith(row.text.rstrip("\ufffd"))
    if not whole.endswith("\ufffd"):
        assert row.text == whole


def test_spaces_between_words_survive_decoding_piece_by_piece() -> None:
    row = Row(REQUEST, asyncio.new_event_loop(), [1])
    row.loop.close()
    for token in range(20):
        row.add(token, decode_words)
    assert row.text == decode_words(list(range(20)))


def test_a_long_reply_is_not_decoded_from_its_beginning_for_each_token() -> None:
    longest = 0

    def counting(ids: list[int]) -> str:
        nonlocal longest
        longest = max(longest, len(ids))
        return decode(ids)

    row = Row(REQUEST, asyncio.new_event_loop(), [1])
    row.loop.close()
    for _ in range(200):
        row.add(1, counting)
    assert longest < 5
    assert row.text == (" saw" * 200).lstrip()


def test_events_of_a_step_reach_the_reader_of_each_row() -> None:
    async def test() -> list[object]:
        rows = [Row(REQUEST, asyncio.get_running_loop(), [1]) for _ in range(3)]
        await asyncio.to_thread(send_all, [(row, f"text {n}") for n, row in enumerate(rows)])
        return [await asyncio.wait_for(row.events.get(), 20) for row in rows]

    assert asyncio.run(test()) == ["text 0", "text 1", "text 2"]
