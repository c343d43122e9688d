"""Whether a prompt fits, as far as a server tells before it answers."""

import json
from typing import Any

import pytest

from arena.backends.base import BackendError, PromptTooLong
from arena.contestants import Sampling
from common.conversation import Conversation
from tests.arena.backends.openai.scripts import CHAT, Asked, open_backend, playing, response, run

SAMPLING = Sampling(max_tokens=100)


def answer(tree: Any) -> list[Any]:
    return response(200, json.dumps(tree))


def check(*scripts: Any, prompts: tuple[str, ...] = ("Hot?",), **fields: Any) -> list[Asked]:
    """Check prompts one after the other; return what the server was asked."""

    async def ask() -> list[Asked]:
        async with playing(*scripts) as server:
            backend = open_backend(server.address, **({"context": None} | fields))
            for prompt in prompts:
                await backend.check(Conversation.ask(prompt, "Be brief."), CHAT, SAMPLING)
            return server.asked

    asked: list[Asked] = run(ask())
    return asked


MODELS = answer({"data": [{"id": "oak"}, {"id": "birch-1", "max_model_len": 1000}]})
PROPS = answer({"default_generation_settings": {"n_ctx": 1000}})


def test_vllm_is_asked_for_its_context_once_and_short_prompts_need_no_more() -> None:
    asked = check(MODELS, prompts=("Hot?", "Cold?", "Up? " * 100))
    assert [each.path for each in asked] == ["/v1/models"]


def test_vllm_counts_a_long_prompt_with_its_template() -> None:
    asked = check(MODELS, answer({"count": 900}), prompts=("Hot? " * 300,))
    assert [each.path for each in asked] == ["/v1/models", "/tokenize"]
    assert [message["role"] for message in asked[1].body["messages"]] == ["system", "user"]
    with pytest.raises(PromptTooLong) as caught:
        check(MODELS, answer({"count": 1800}), prompts=("Hot? " * 300,))
    assert 700 < caught.value.room < 800  # half of the tokens are too many


def test_llama_cpp_writes_the_template_and_counts() -> None:
    scripts = (PROPS, answer({"prompt": "<s>Hot?"}), answer({"tokens": [1] * 901}))
    with pytest.raises(PromptTooLong):
        check(*scripts, prompts=("Hot? " * 300,), dialect="llamacpp")
    asked = check(
        PROPS,
        answer({"prompt": "<s>Hot?"}),
        answer({"tokens": [1] * 900}),
        prompts=("Hot? " * 300,),
        dialect="llamacpp",
    )
    assert [each.path for each in asked] == ["/props", "/apply-template", "/tokenize"]
    assert asked[2].body["content"] == "<s>Hot?"


def test_ollama_cuts_in_silence_so_what_may_not_fit_is_refused() -> None:
    check(prompts=("Hot? " * 400,), dialect="ollama")
    with pytest.raises(PromptTooLong) as caught:
        check(prompts=("Hot? " * 4000,), dialect="ollama")
    assert 5_000 < caught.value.room < 15_000
    check(prompts=("Hot? " * 4000,), dialect="ollama", context=32_000)


def test_a_hosted_model_is_believed_to_have_room_unless_its_context_is_given() -> None:
    assert check(prompts=("Hot? " * 50_000,), dialect="openai") == []
    with pytest.raises(PromptTooLong):
        check(prompts=("Hot? " * 50_000,), dialect="openai", context=8000)


def test_a_context_that_the_reply_fills_is_the_contestants_fault() -> None:
    with pytest.raises(BackendError, match="max_tokens 100 leaves no room for a prompt in 100 tokens"):
        check(context=100)


NONSENSE = (
    response(404),
    response(200, "<html>"),
    response(200, "[" * 100_000),
    response(200, "9" * 5000),
    answer([]),
    answer({"data": 7}),
    answer({"data": [7, {"id": "birch-1", "max_model_len": "many"}, {"id": "birch-1", "max_model_len": -5}]}),
    answer({"default_generation_settings": {"n_ctx": True}}),
    [b"nothing of HTTP\r\n\r\n"],
    [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", 0.2],
)


@pytest.mark.parametrize("script", NONSENSE)
@pytest.mark.parametrize("dialect", ["vllm", "llamacpp"])
def test_a_server_that_does_not_tell_is_not_asked_again_soon_and_the_prompt_is_accepted(
    script: Any, dialect: str
) -> None:
    assert len(check(script, prompts=("Hot?", "Cold? " * 500), dialect=dialect)) == 1


@pytest.mark.parametrize("script", NONSENSE)
def test_where_the_count_fails_the_bytes_are_an_estimate(script: Any) -> None:
    check(MODELS, script, prompts=("Hot? " * 200,))
    with pytest.raises(PromptTooLong):
        check(MODELS, script, prompts=("Hot? " * 2000,))
