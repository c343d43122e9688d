"""What each dialect is sent: every value of the sampling that it takes, and a refusal of what it does not."""

from typing import Any

import pytest
from pydantic import ValidationError

from arena.backends.openai.dialects import is_same_model, left_to_server, settings
from arena.contestants import Dialect, Sampling
from tests.arena.backends.openai.scripts import CHAT, ask, contestant

DRAWN = {"temperature": 0.7, "top_p": 0.9, "max_tokens": 50}
MORE = {"top_k": 30, "min_p": 0.1, "repetition_penalty": 1.2}


def body(dialect: Dialect, *, stop: tuple[str, ...] = (), options: Any = None, **sampling: Any) -> dict[str, Any]:
    style = CHAT.model_copy(update={"stop": stop})
    return settings(ask(style=style, **sampling), "birch-1", dialect, options or {})


@pytest.mark.parametrize("dialect", ["vllm", "llamacpp", "ollama", "openai"])
def test_every_value_is_sent_also_where_it_is_ours_by_default(dialect: Dialect) -> None:
    default = body(dialect)
    assert (default["temperature"], default["top_p"], default["max_tokens"]) == (0.8, 0.95, 96)
    assert body(dialect, **DRAWN).items() >= {**DRAWN, "seed": 5, "model": "birch-1", "stream": True}.items()
    assert default["stream_options"] == {"include_usage": True}


def test_vllm_and_llama_cpp_take_the_others_each_by_its_names() -> None:
    assert body("vllm", **MORE).items() >= MORE.items()
    named = body("llamacpp", **MORE)
    assert (named["top_k"], named["min_p"], named["repeat_penalty"]) == (30, 0.1, 1.2)
    assert "repetition_penalty" not in named
    assert (body("vllm")["top_k"], body("vllm")["min_p"], body("vllm")["repetition_penalty"]) == (0, 0.0, 1.0)


def test_no_sampling_is_left_out_without_a_word() -> None:
    assert left_to_server("vllm") == left_to_server("llamacpp") == []
    assert left_to_server("ollama") == left_to_server("openai") == sorted(MORE)
    sent = {"temperature", "top_p", "max_tokens"}
    assert sent | set(left_to_server("openai")) | {"max_seconds", "at_limit"} == set(Sampling.model_fields)


@pytest.mark.parametrize("dialect", ["ollama", "openai"])
@pytest.mark.parametrize("key", MORE)
def test_sampling_that_a_dialect_does_not_take_is_refused_at_the_start(dialect: Dialect, key: str) -> None:
    with pytest.raises(ValidationError, match=f"the API of dialect {dialect} takes no {key}: leave it out"):
        contestant("http://127.0.0.1:9/v1", dialect=dialect, sampling={key: MORE[key]})
    contestant("http://127.0.0.1:9/v1", dialect="vllm", sampling={key: MORE[key]})


def test_a_temperature_beyond_the_dialect_is_refused_at_the_start() -> None:
    with pytest.raises(ValidationError, match="dialect vllm takes a temperature of at most 2: lower it"):
        contestant("http://127.0.0.1:9/v1", sampling={"temperature": 2.5})
    contestant("http://127.0.0.1:9/v1", dialect="llamacpp", sampling={"temperature": 2.5})


def test_at_most_four_stop_texts_are_sent_and_none_to_who_does_not_say_that_one_was_met() -> None:
    texts = ("a", "b", "c", "d", "e")
    assert body("vllm", stop=texts)["stop"] == body("openai", stop=texts)["stop"] == ["a", "b", "c", "d"]
    assert not body("llamacpp", stop=texts).keys() & {"stop"}
    assert not body("ollama", stop=texts).keys() & {"stop"}
    assert "stop" not in body("vllm")


def test_seeds_are_cut_to_what_every_server_takes() -> None:
    assert body("llamacpp", seed=2**63 - 1)["seed"] == 2**31 - 1


def test_options_are_sent_as_they_stand_and_null_leaves_a_value_out() -> None:
    sent = body("openai", options={"max_tokens": None, "max_completion_tokens": 9, "reasoning_effort": "low"})
    assert "max_tokens" not in sent
    assert (sent["max_completion_tokens"], sent["reasoning_effort"]) == (9, "low")


@pytest.mark.parametrize("key", ["model", "messages", "prompt", "stream", "n"])
def test_options_cannot_change_what_is_asked(key: str) -> None:
    with pytest.raises(ValidationError, match=f"{key} is written by the arena"):
        contestant("http://127.0.0.1:9/v1", options={key: 2})


@pytest.mark.parametrize(
    ("dialect", "answered", "is_same"),
    [
        ("vllm", "birch", True),
        ("vllm", "birch-2026-01-01", False),
        ("vllm", "oak", False),
        ("llamacpp", "/models/birch", True),
        ("llamacpp", "C:\\models\\birch", True),
        ("llamacpp", "/models/oak.gguf", False),
        ("ollama", "birch:latest", True),
        ("ollama", "birch:7b", False),
        ("openai", "birch-2026-01-01", True),
        ("openai", "birch-0613", True),
        ("openai", "birch-mini", False),
        ("openai", "birch-mini-2026-01-01", False),
        ("openai", "bir", False),
        ("openai", "", False),
    ],
)
def test_who_answers_is_who_was_asked(dialect: Dialect, answered: str, is_same: bool) -> None:
    assert is_same_model("birch", answered, dialect) is is_same
