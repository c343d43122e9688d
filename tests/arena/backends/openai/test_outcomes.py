"""Row by row, what an endpoint may do, and how the reply then ends."""

import asyncio
import json
import re
import socket
from typing import Any

import pytest

from arena.backends.base import BackendError, PromptTooLong
from arena.backends.openai import client
from arena.backends.openai.keys import Keys
from arena.backends.openai.outcomes import judge, read_retry_after
from tests.arena.backends.openai.scripts import (
    DONE,
    END,
    WELL,
    Script,
    answer_to,
    ask,
    error,
    event,
    finish,
    for_ever,
    head,
    open_backend,
    playing,
    read,
    response,
    run,
    sent,
    token,
)

BROKEN = b"zz no chunk\r\n"  # in the place of a chunk's length: the connection is cut


pytestmark = pytest.mark.usefixtures("short_rests")


def nobody() -> str:
    """Return an address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def failure_of(*scripts: Any, **fields: Any) -> tuple[str, int]:
    """Return why there is no reply, and how often the endpoint was asked."""

    async def fail() -> tuple[str, int]:
        async with playing(*scripts) as server:
            backend = open_backend(server.address, **fields)
            with pytest.raises(BackendError) as caught:
                await read(backend)
            message = str(caught.value)
            assert "\n" not in message
            assert message.startswith(server.address)
            assert backend._pool.members[0].in_flight == 0
            return message.removeprefix(f"{server.address} "), len(server.asked)

    found: tuple[str, int] = run(fail())
    return found


# Before the first token: asked once more, here or elsewhere.

AGAIN = {
    "429": error(429, message="slow down"),
    "500": response(500, "<html>oops"),
    "503 that says when": response(503, "", retry_after="0"),
    "cut before the headers": [b"HTTP/1.1 200"],
    "cut before the first token": [head(), token(""), BROKEN],
}


@pytest.mark.parametrize("name", AGAIN)
def test_what_fails_before_the_first_token_is_asked_once_more(name: str) -> None:
    pieces, whole, server = run(answer_to(AGAIN[name], WELL))
    assert "".join(pieces) == whole.text == "Hot is cold"
    assert whole.recipe["retries"] == 1
    assert server.asked[0].body == server.asked[1].body


@pytest.mark.parametrize("name", AGAIN)
def test_one_that_fails_again_and_again_is_given_up(name: str) -> None:
    message, asked = failure_of(AGAIN[name])
    assert asked == 4
    assert "HTTP" in message or "broke off" in message


@pytest.mark.parametrize(
    "address", [nobody(), "http://nobody.invalid/v1", "http://127.0.0.1:1/v1"], ids=["closed", "no host", "low port"]
)
def test_one_that_cannot_be_reached_leaves_the_reply_to_the_others(address: str) -> None:
    async def asked() -> None:
        async with playing(WELL) as server:
            backend = open_backend(address, server.address)
            for _ in range(6):
                assert (await read(backend))[1].text == "Hot is cold"
            assert len(server.asked) == 6

    run(asked())


def test_when_nobody_can_be_reached_the_addresses_are_named() -> None:
    address = nobody()
    with pytest.raises(BackendError, match=rf"{address} refuses connections, or is not there \(ConnectError\)"):
        run(read(open_backend(address)))


def test_an_endpoint_without_tls_is_one_that_cannot_be_reached() -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def asked() -> None:
        async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(BackendError, match="refuses connections"):
                await read(open_backend(f"https://127.0.0.1:{port}/v1"))

    run(asked())


def test_the_time_that_an_endpoint_asks_for_is_kept() -> None:
    async def asked() -> float:
        async with playing(response(429, "", retry_after="1"), WELL) as server:
            _, whole = await read(open_backend(server.address))
            return whole.first_seconds

    assert 1.0 <= run(asked()) < 2.0


def test_an_endpoint_that_asks_for_more_time_than_the_reply_has_is_not_waited_for() -> None:
    async def asked() -> float:
        async with playing(response(429, "", retry_after="600")) as server:
            began = asyncio.get_running_loop().time()
            with pytest.raises(
                BackendError, match=r"no endpoint is well within sampling.max_seconds; last, .* HTTP 429"
            ):
                await read(open_backend(server.address))
            return asyncio.get_running_loop().time() - began

    assert run(asked()) < 1.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("3", 3), ("-1", 0), ("nan", 0), ("inf", 0), ("1e9", 60), ("soon", 0), ("", 0)),
        *(("Thu, 01 Jan 1970 00:01:40 GMT", 60), ("Thu, 01 Jan 1970 00:00:10 GMT", 0)),
    ],
)
def test_when_to_come_back_is_read_in_every_form(text: str, seconds: float) -> None:
    assert read_retry_after(text, now=lambda: 40.0) == seconds


def test_a_hung_endpoint_is_left_for_another_but_not_asked_twice() -> None:
    async def asked() -> None:
        async with playing([1.0]) as hung, playing(WELL) as well:
            backend = open_backend(hung.address, well.address)
            for _ in range(6):
                assert (await read(backend))[1].text == "Hot is cold"
            assert len(hung.asked) < 6  # it rests, for as long as a busy machine may need for several replies

    run(asked())
    message, asked_for = failure_of([1.0])
    assert (message, asked_for) == ("sent no token for 0.3 s (token_seconds)", 1)


# The prompt does not fit: nobody's fault.

TOO_LONG = {
    "vllm": {
        "message": "This model's maximum context length is 2048 tokens. However, you requested 96 output tokens and "
        "your prompt contains at least 1953 input tokens, for a total of at least 2049 tokens. Please reduce the "
        "length of the input prompt or the number of requested output tokens.",
        "type": "BadRequestError",
        "param": "input_tokens",
        "code": 400,
    },
    "llamacpp": {
        "message": "request (9412 tokens) exceeds the available context size (8192 tokens), try increasing it",
        "type": "exceed_context_size_error",
        "code": 400,
        "n_prompt_tokens": 9412,
        "n_ctx": 8192,
    },
    "ollama": {"message": "input length exceeds the context length", "type": "api_error"},
    "openai": {
        "message": "Please shorten your messages.",
        "type": "invalid_request_error",
        "param": "messages",
        "code": "context_length_exceeded",
    },
}


@pytest.mark.parametrize("dialect", TOO_LONG)
@pytest.mark.parametrize("is_late", [False, True])
def test_a_prompt_beyond_the_context_is_too_long_and_the_endpoint_stays_well(dialect: str, is_late: bool) -> None:
    fields = TOO_LONG[dialect]
    script = [head(), event(error=fields), END] if is_late else error(400, **fields)

    async def asked() -> None:
        async with playing(script) as server:
            backend = open_backend(server.address, dialect=dialect)
            with pytest.raises(PromptTooLong) as caught:
                await read(backend, ask("Hot? " * 2000))
            assert 0 < caught.value.room < 10_000
            assert len(server.asked) == 1
            assert backend._pool.members[0].failures == 0

    run(asked())


def test_where_the_tokens_are_told_so_is_the_room() -> None:
    async def asked() -> int:
        async with playing(error(400, **TOO_LONG["llamacpp"])) as server:
            with pytest.raises(PromptTooLong) as caught:
                await read(open_backend(server.address, dialect="llamacpp"), ask("ab" * 9412, max_tokens=192))
            return caught.value.room

    assert run(asked()) == 2 * 8000


def test_a_context_that_the_reply_alone_fills_is_the_contestants_fault() -> None:
    message, _ = failure_of(error(400, **(TOO_LONG["llamacpp"] | {"n_ctx": 96})), dialect="llamacpp")
    assert message == "has a context of 96: lower max_tokens"


def test_a_short_prompt_does_not_exceed_a_large_context() -> None:
    message, _ = failure_of(error(400, **TOO_LONG["llamacpp"]), dialect="llamacpp")
    assert message == "says that a short prompt exceeds 8192 tokens"


# Refusals: named with the cure, and nobody is asked again.

REFUSALS = {
    "401": (response(401, '{"error":"Unauthorized"}'), r"refused the key \(HTTP 401\): see ALDER_KEY"),
    "403": (response(403, "no"), r"refused the key \(HTTP 403\): see ALDER_KEY"),
    "404": (
        error(404, message="no such model"),
        r"knows no model 'birch-1', or .* \(HTTP 404\): see model and base_url",
    ),
    "400": (error(400, code="unsupported_parameter", param="top_p"), r"\(HTTP 400, unsupported_parameter, top_p\)"),
    "422": (response(422, "[" * 10_000), r"refused the request \(HTTP 422\)"),
    "redirect": (response(307, "", location="http://127.0.0.1:9/v1"), r"elsewhere \(HTTP 307\), which is not followed"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_names_its_cure_and_is_final(name: str) -> None:
    script, words = REFUSALS[name]
    message, asked = failure_of(script, api_key_env="ALDER_KEY", environment={"ALDER_KEY": "k-1"})
    assert asked == 1
    assert re.search(words, message)


def test_a_refusal_that_never_ends_is_read_in_part() -> None:
    endless = [head("application/json").replace(b"200", b"401")]
    assert "refused the key" in failure_of(lambda: for_ever(sent("x" * 9000), before=endless))[0]


def test_a_key_is_in_no_refusal_even_if_it_looks_like_a_code() -> None:
    fields = {"api_key_env": "ALDER_KEY", "environment": {"ALDER_KEY": "Alder_Birch_Oak"}}
    message, _ = failure_of(error(400, code="Alder_Birch_Oak", type="birch", param="top_p"), **fields)
    assert message == "refused the request (HTTP 400, top_p)"


def test_a_reply_of_endless_thoughts_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_STREAM_BYTES", 20_000)
    thought = event(choices=[{"delta": {"reasoning": "Hm. " * 100}}])
    assert "sent more than 20,000 bytes" in failure_of(lambda: for_ever(thought, 0.0, [head()]))[0]


def test_an_endpoint_that_wants_a_key_says_where_to_name_it() -> None:
    assert "name its environment variable as api_key_env" in failure_of(response(401))[0]


# What is no whole reply of this model.

LYING = {
    "no finish": ([head(), token("Hot"), DONE, END], "ended the stream without a finish_reason"),
    "nothing": ([head(), END], "ended the stream without a finish_reason"),
    "cut": ([head(), token("Hot"), BROKEN], "broke off (RemoteProtocolError)"),
    "an error": ([head(), token("Hot"), event(error={"message": "boom", "code": 500}), DONE, END], "sent an error"),
    "an error at once": ([head(), event(error="boom"), END], "sent an error"),
    "too long, once text is there": ([head(), token("Hot"), event(error=TOO_LONG["vllm"]), END], "does not fit"),
    "bad JSON": ([head(), token("Hot"), sent("data: {oops\n\n"), END], "not JSON of OpenAI's API"),
    "other JSON": ([head(), sent("data: [1]\n\n"), END], "not JSON of OpenAI's API"),
    "numbers for text": ([head(), token(7), END], "not JSON of OpenAI's API"),  # type: ignore[arg-type]
    "half a surrogate": ([head(), sent('data: {"choices":[{"delta":{"content":"\\ud800"}}]}\n\n'), END], "not JSON"),
    "a page": (response(200, "<html>Log in</html>", "text/html"), "answered with a web page, not with a stream"),
    "JSON at once": (response(200, '{"choices": []}'), "answered with JSON at once, not with a stream"),
    "another kind": (response(200, "x", "x/\x7fz"), "answered with something else, not with a stream"),
    "compressed": ([head(content_encoding="gzip"), END], "compressed"),
    "another model": (
        [head(), token("Hot", model="oak-70b"), finish(), END],
        "answered as another model ('oak-70b') than 'birch-1': correct model or base_url",
    ),
    "another finish": ([head(), token("Hot"), finish("content_filter"), END], "ended the reply for content_filter"),
    "an unknown finish": (
        [head(), token("Hot"), finish("\x1b[2J"), END],
        "for a reason that OpenAI's API does not know",
    ),
    "silence": ([head(), token("Hot"), 1.0], "sent no token for 0.3 s"),
    "comments for ever": (lambda: for_ever(sent(": alive\n\n"), before=[head()]), "sent no token for 0.3 s"),
    "empty events for ever": (lambda: for_ever(token(""), before=[head(), token("Hot")]), "sent no token for 0.3 s"),
    "text for ever": (lambda: for_ever(token("Hot " * 4000), 0.0, [head()]), "does not keep to max_tokens"),
    "a line for ever": (lambda: for_ever(sent("x" * 60_000), 0.0, [head(), sent("data: ")]), "an event of more than"),
    "an event of lines": (lambda: for_ever(sent("data: x\n" * 5000), 0.0, [head()]), "an event of more than"),
    "headers for ever": (lambda: for_ever(b"x: " + b"y" * 9000 + b"\r\n", 0.0, [b"HTTP/1.1 200 OK\r\n"]), "broke off"),
    "no HTTP": ([b"SSH-2.0-OpenSSH\r\n\r\n"], "broke off"),
}


@pytest.mark.parametrize("name", LYING)
def test_half_a_reply_or_another_is_none(name: str) -> None:
    script, words = LYING[name]
    message, asked = failure_of(script)
    assert words in message
    assert asked == 1 or name in ("headers for ever", "no HTTP")  # which may be met before a stream


def test_after_the_first_token_nobody_else_is_asked() -> None:
    async def asked() -> None:
        async with playing([head(), token("Hot"), BROKEN]) as one, playing([head(), token("Hot"), BROKEN]) as other:
            backend = open_backend(one.address, other.address)
            events = backend.stream(ask())
            assert await anext(events) == "Hot"
            with pytest.raises(BackendError, match="broke off"):
                await anext(events)
            assert len(one.asked) + len(other.asked) == 1

    run(asked())


def test_bytes_that_are_no_text_are_shown_as_such_whatever_the_header_says() -> None:
    part = token("Hot X").replace(b"X", b"\xff")
    script: Script = [head("text/event-stream; charset=utf-16"), part, token("\0"), finish(), END]
    _, whole, _ = run(answer_to(script))
    assert whole.text == "Hot \ufffd\ufffd"


def test_a_snapshot_of_the_model_is_that_model() -> None:
    script = [head(), token("Hot", model="birch-1-2026-08-06"), finish(model="birch-1-2026-08-06"), END]
    _, whole, _ = run(answer_to(script, dialect="openai"))
    assert (whole.recipe["model"], whole.recipe["answered"]) == ("birch-1", "birch-1-2026-08-06")


def test_an_endpoint_that_calls_every_prompt_too_long_has_failed() -> None:
    message, asked = failure_of(error(400, code="context_length_exceeded", message="too long"))
    assert (message, asked) == ("says that a short prompt exceeds its context", 1)


def test_an_endpoint_that_asks_for_an_hour_of_rest_is_not_loaded_and_another_is_drawn() -> None:
    async def ask_twice() -> None:
        async with playing(response(429, retry_after="3600")) as server:
            backend = open_backend(server.address)
            await backend.load()
            with pytest.raises(BackendError, match="HTTP 429"):
                await read(backend)
            with pytest.raises(BackendError, match=r"no endpoint is well; last, .*HTTP 429"):
                await backend.load()

    run(ask_twice())


def test_a_code_that_is_written_around_a_key_is_not_repeated() -> None:
    keys = Keys({"Authorization": "Bearer SECRETALPHAKEYxqzz"})
    for code in ("invalid_key_SECRETALPHAKEYxqzz", "secretalphakey", "bad_ALPHAKEY", "xqzz"):
        told = str(judge(400, {}, json.dumps({"error": {"code": code}}), model="m", keys=keys))
        assert told == "refused the request (HTTP 400)"
    told = str(judge(400, {}, json.dumps({"error": {"code": "bad_value"}}), model="m", keys=keys))
    assert told == "refused the request (HTTP 400, bad_value)"
