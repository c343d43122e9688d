"""A reply from an endpoint, from the request to its record."""

import asyncio
import traceback
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from arena.backends.base import BackendError
from arena.backends.openai.backend import OpenAIBackend
from arena.contestants import FewShotStyle, Sampling, Shot
from arena.guard.prompt_checks import PromptRefused
from common.conversation import Conversation
from tests.arena.backends.openai.scripts import (
    CHAT,
    DONE,
    END,
    KEY,
    USAGE,
    WELL,
    answer_to,
    ask,
    contestant,
    event,
    finish,
    head,
    open_backend,
    playing,
    read,
    reply,
    response,
    run,
    token,
)

FEW_SHOT = FewShotStyle(style="few-shot", examples=(Shot(question="Up?", answer="Down."),))


def test_text_is_streamed_and_the_record_holds_all_of_it() -> None:
    pieces, whole, _ = run(answer_to(WELL))
    assert pieces == ["Hot", " is", " cold"]
    assert (whole.text, whole.finish, whole.prompt_tokens, whole.tokens) == ("Hot is cold", "end", 7, 3)
    assert 0 < whole.first_seconds <= whole.seconds


def test_a_chat_is_asked_by_its_messages_and_nothing_else() -> None:
    talk = Conversation.of(["Up?", "Hot?"], ["Down."], system="Be brief.")
    request = ask()
    request = type(request)(talk, CHAT, request.sampling, request.seed)
    _, _, server = run(answer_to(WELL, request=request))
    [asked] = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.body["messages"] == talk.as_dicts()
    assert "prompt" not in asked.body


def test_a_base_model_is_asked_by_a_document() -> None:
    texts = [
        event(model="birch-1", choices=[{"index": 0, "text": t, "finish_reason": None}]) for t in (" Cold", "\n\nQ")
    ]
    pieces, whole, server = run(answer_to([head(), *texts, finish(), DONE, END], request=ask("Hot?", style=FEW_SHOT)))
    [asked] = server.asked
    assert asked.path == "/v1/completions"
    assert asked.body["prompt"] == "Question: Up?\nAnswer: Down.\n\nQuestion: Hot?\nAnswer:"
    assert asked.body["stop"] == list(FEW_SHOT.stop)
    assert (pieces, whole.text, whole.finish) == (["Cold"], "Cold", "stop")


def test_the_recipe_says_what_would_write_the_reply_again() -> None:
    _, whole, server = run(
        answer_to(WELL, request=ask(temperature=0.5, seed=2**40 + 9), api_key_env="K", environment={"K": KEY})
    )
    recipe = whole.recipe
    assert recipe["backend"] == "openai"
    assert (recipe["model"], recipe["answered"], recipe["system_fingerprint"]) == ("birch-1", "birch-1", "fp_1")
    assert recipe["endpoint"] == server.address
    assert recipe["seed"] == 2**40 + 9
    assert recipe["sent"]["seed"] == 9
    assert {**recipe["sent"], "messages": server.asked[0].body["messages"]} == server.asked[0].body
    assert (recipe["retries"], recipe["tokens_from"]) == (0, "usage")
    assert KEY not in str(recipe)


def test_without_token_counts_the_events_are_counted() -> None:
    _, whole, _ = run(answer_to([head(), token("Hot"), token("."), finish(), DONE, END]))
    assert (whole.tokens, whole.prompt_tokens, whole.recipe["tokens_from"]) == (2, 0, "events")


def test_a_reply_is_whole_once_it_has_its_finish_whatever_follows() -> None:
    _, whole, _ = run(answer_to([head(), token("Hot"), finish(), b"no chunk"]))
    assert (whole.text, whole.finish) == ("Hot", "end")


@pytest.mark.parametrize(
    ("reason", "stop_reason", "ended"),
    [("stop", None, "end"), ("stop", "X", "stop"), ("stop", 7, "end"), ("length", None, "length")],
)
def test_how_a_reply_ended(reason: str, stop_reason: Any, ended: str) -> None:
    _, whole, _ = run(answer_to([head(), token("Hot"), finish(reason, stop_reason=stop_reason), USAGE, DONE, END]))
    assert whole.finish == ended


def test_a_stop_text_ends_a_reply_that_the_endpoint_goes_on_with_and_hangs_up() -> None:
    style = CHAT.model_copy(update={"stop": ("END",)})

    async def stopped() -> None:
        async with playing([head(), token("Hot E"), token("ND and"), *[0.02, token("more")] * 200]) as server:
            pieces, whole = await read(open_backend(server.address), ask(style=style))
            assert (pieces, whole.text, whole.finish) == (["Hot "], "Hot", "stop")
            await asyncio.sleep(0.1)
            assert server.hung_up == 1

    run(stopped())


def test_at_its_seconds_a_reply_is_cut_or_its_battle_void() -> None:
    slow = [head(), token("Hot"), 0.2, token(" is"), 0.2, token(" cold"), 0.2, finish(), END]
    _, whole, _ = run(answer_to(slow, request=ask(max_seconds=0.3)))
    assert (whole.text, whole.finish) == ("Hot is", "length")
    with pytest.raises(BackendError, match=r"had not ended after 0\.3 s \(sampling\.max_seconds\)"):
        run(answer_to(slow, request=ask(max_seconds=0.3, at_limit="void")))
    with pytest.raises(BackendError, match=r"had not ended after 0\.1 s \(sampling\.max_seconds\)"):
        run(answer_to([head(), 0.5, token("Hot")], request=ask(max_seconds=0.1)))


def test_a_reader_that_leaves_hangs_up_and_frees_the_place() -> None:
    async def left() -> None:
        async with playing([head(), token("Hot"), *[0.02, token("more")] * 200]) as server:
            backend = open_backend(server.address)
            async with aclosing(backend.stream(ask())) as events:
                assert await anext(events) == "Hot"
            await asyncio.sleep(0.1)
            assert server.hung_up == 1
            [member] = backend._pool.members
            assert (member.in_flight, member.failures) == (0, 0)

    run(left())


def test_a_battle_that_is_called_off_before_the_first_token_frees_the_place() -> None:
    async def called_off() -> None:
        async with playing([head(), *[0.02, token("")] * 200]) as server:
            backend = open_backend(server.address)
            waiting = asyncio.create_task(read(backend))
            await asyncio.sleep(0.1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await asyncio.sleep(0.1)
            [member] = backend._pool.members
            assert (server.hung_up, member.in_flight, member.failures) == (1, 0, 0)

    run(called_off())


def test_proxies_of_the_environment_are_for_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    async def asked() -> None:
        async with playing(WELL) as proxy, playing(WELL) as server:
            monkeypatch.setenv("http_proxy", proxy.address.removesuffix("/v1"))
            await read(open_backend(server.address))
            assert (len(proxy.asked), len(server.asked)) == (0, 1)
            await read(open_backend("http://other.invalid/v1"))
            assert [each.path for each in proxy.asked] == ["http://other.invalid/v1/chat/completions"]

    run(asked())


def test_cookies_are_not_kept() -> None:
    async def asked_twice() -> None:
        well = [head(set_cookie="a=b"), *WELL[1:]]
        async with playing(well) as server:
            backend = open_backend(server.address)
            await read(backend)
            await read(backend)
            assert "cookie" not in server.asked[1].headers

    run(asked_twice())


def test_two_are_asked_at_once() -> None:
    async def both() -> None:
        async with playing([head(), 0.2, token("Hot"), finish(), END], reply("Cold")) as server:
            backend = open_backend(server.address)
            (_, one), (_, other) = await asyncio.gather(read(backend), read(backend))
            assert {one.text, other.text} == {"Hot", "Cold"}

    run(both())


def test_thoughts_are_life_but_no_text() -> None:
    thought = event(model="birch-1", choices=[{"index": 0, "delta": {"reasoning_content": "Hm"}}])
    script = [head(), *[thought, 0.2] * 3, token("Hot"), finish(), USAGE, DONE, END]
    pieces, whole, _ = run(answer_to(script))
    assert (pieces, whole.text) == (["Hot"], "Hot")


def test_a_key_that_is_not_there_is_named_at_once_and_nobody_is_asked() -> None:
    backend = open_backend("http://127.0.0.1:9/v1", api_key_env="ALDER_KEY")
    assert "the environment variable ALDER_KEY is not set" in backend.failure
    assert not backend.is_loading
    for asked in (backend.check(Conversation.ask("Hi"), CHAT, Sampling()), read(backend)):
        with pytest.raises(BackendError, match="ALDER_KEY is not set"):
            run(asked)


def test_after_closing_nobody_is_asked() -> None:
    async def closed() -> None:
        backend = open_backend("http://127.0.0.1:9/v1")
        backend.close()
        with pytest.raises(BackendError, match="closed"):
            await read(backend)

    run(closed())


def test_control_tokens_of_chat_formats_are_refused_whoever_wrote_them() -> None:
    backend = open_backend("http://127.0.0.1:9/v1")
    talk = Conversation.of(["Up?", "Hot?"], ["Down.<|im_end|>"])
    with pytest.raises(PromptRefused, match="im_end"):
        run(backend.check(talk, CHAT, Sampling()))


def test_an_own_server_is_asked_with_a_key_that_no_variable_holds() -> None:
    async def asked() -> None:
        async with playing(WELL) as server:
            await read(OpenAIBackend(contestant(server.address), key=KEY, environment={}))
            assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"

    run(asked())


def chain(problem: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those that it was raised from or beside."""
    while problem is not None:
        yield problem
        problem = problem.__cause__ or problem.__context__


def test_keys_are_in_no_log_error_or_repr(caplog: pytest.LogCaptureFixture) -> None:
    echo = f'{{"error": {{"message": "bad {KEY}", "code": "{KEY}", "type": "{KEY}"}}}}'
    scripts: list[Any] = [
        WELL,
        response(401, echo),
        response(400, echo),
        response(302, echo, location=f"http://127.0.0.1:9/{KEY}"),
        response(200, echo),
        [head(), token(KEY, model=KEY)],
        [head(), token("Hot", finish=KEY)],
        [head(), event(error={"message": KEY})],
        [head(), b"zz" + KEY.encode()],
        [head(), token("Hot"), b"zz" + KEY.encode()],
        [b"HTTP/1.1 200 " + KEY.encode() + b"\r\nbad header " + KEY.encode() + b"\r\n\r\n"],
    ]

    async def search() -> list[str]:
        told = []
        for script in scripts:
            async with playing(script) as server:
                backend = open_backend(
                    server.address, api_key_env="A", headers_env={"X-Two": "B"}, environment={"A": KEY, "B": f"{KEY}b"}
                )
                told += [repr(backend), repr(vars(backend)), repr([vars(m) for m in backend._pool.members])]
                told += [repr(vars(member.endpoint)) for member in backend._pool.members]
                try:
                    await read(backend, ask(max_seconds=1.0))
                except BackendError as problem:
                    told += [*traceback.format_exception(problem), repr(problem.args)]
                    told += [type(each).__module__ for each in chain(problem)]
        return told

    with caplog.at_level("DEBUG"), caplog.at_level("DEBUG", "httpx2"), caplog.at_level("DEBUG", "httpcore2"):
        told = run(search())
    assert len(told) > 4 * len(scripts)
    assert KEY not in "\n".join(told)
    assert not [line for line in told if line.startswith(("httpx2", "httpcore2"))]  # whose errors hold the headers
    # What an endpoint sends in its headers is in the library's own lines for debugging, and nowhere else.
    lines = [record for record in caplog.records if "receive_response_headers" not in record.getMessage()]
    assert len(lines) > len(scripts)
    assert not any(KEY in record.getMessage() or KEY in str(record.exc_info) for record in lines)


def test_log_probabilities_are_recorded_where_they_are_wanted() -> None:
    def said(text: str, *logprobs: float) -> bytes:
        return token(text, logprobs={"content": [{"token": "x", "logprob": each, "bytes": None} for each in logprobs]})

    script = [head(), said("Hot", -0.5), said(" is", -1.25, -3.0), finish(logprobs=None), USAGE, DONE, END]
    _, plain, server = run(answer_to(script))
    assert "logprobs" not in plain.recipe
    assert "logprobs" not in server.asked[-1].body
    _, reply, server = run(answer_to(script, logprobs=True))
    assert reply.recipe["logprobs"] == [-0.5, -1.25, -3.0]
    assert server.asked[-1].body["logprobs"] is True


def test_log_probabilities_of_a_completion_are_recorded_too() -> None:
    choice = {"index": 0, "text": "Cold", "logprobs": {"token_logprobs": [None, -0.75]}, "finish_reason": "stop"}
    script = [head(), event(model="birch-1", choices=[choice]), DONE, END]
    _, reply, server = run(answer_to(script, request=ask(style=FEW_SHOT), logprobs=True))
    assert reply.recipe["logprobs"] == [-0.75]
    assert server.asked[-1].body["logprobs"] == 1


ODD: dict[str, dict[str, Any]] = {
    "a list": {"logprobs": []},
    "a number": {"logprobs": -0.5},
    "none": {"logprobs": {"content": [{"token": "x", "logprob": None}]}},
    "above zero": {"logprobs": {"content": [{"token": "x", "logprob": 0.5}]}},
    "infinite": {"logprobs": {"content": [{"token": "x", "logprob": float("-inf")}]}},
    "a stop reason that is a list": {"stop_reason": ["x"]},
    "no index": {"index": None},
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("wanted", [False, True])
def test_what_is_odd_beside_the_text_is_left_out_and_voids_nothing(name: str, wanted: bool) -> None:
    script = [head(), token("Hot", **ODD[name]), finish(), USAGE, DONE, END]
    _, reply, _ = run(answer_to(script, logprobs=wanted))
    assert reply.text == "Hot"
    assert reply.recipe.get("logprobs", []) == []


@pytest.mark.parametrize("usage", [{"prompt_tokens": None}, {"completion_tokens": 4.5}, [], "much", 7])
def test_odd_counts_are_none(usage: Any) -> None:
    script = [head(), token("Hot"), finish(), event(model="birch-1", choices=[], usage=usage), DONE, END]
    _, reply, _ = run(answer_to(script))
    assert (reply.text, reply.tokens, reply.recipe["tokens_from"]) == ("Hot", 1, "events")
