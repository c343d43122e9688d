"""Entries of models.yaml by the kind of their backend; whole files are in test_config.py."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from arena.contestants import AnyContestant, Contestant, ScriptedContestant, TransformersContestant, names_of

ADAPTER: TypeAdapter[Contestant] = TypeAdapter(AnyContestant)
CHECKPOINT = {"name": "alder", "stage": "sft", "path": "weights", "prompt": {"style": "chat"}}
SCRIPTED = {"name": "birch", "stage": "demo", "backend": "scripted", "replies": ["x"]}


@pytest.mark.parametrize(("entry", "kind"), [(CHECKPOINT, TransformersContestant), (SCRIPTED, ScriptedContestant)])
def test_the_backend_decides_the_kind_of_an_entry(entry: dict[str, Any], kind: type) -> None:
    contestant = ADAPTER.validate_python(entry)
    assert type(contestant) is kind
    assert ADAPTER.validate_python(contestant) == contestant


@pytest.mark.parametrize("change", [{"backend": "unknown"}, {"replies": ["x"]}, {"path": None}, {"known_as": ["-"]}])
def test_a_key_of_another_kind_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(CHECKPOINT | change)


def test_names_are_all_words_that_identify_a_contestant_each_once() -> None:
    named = ADAPTER.validate_python(CHECKPOINT | {"known_as": ["Llama", "alder"]})
    assert names_of([named, ADAPTER.validate_python(SCRIPTED)]) == ("alder", "Llama", "birch")


VLLM = CHECKPOINT | {"backend": "vllm"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"options": {"api-key": "x"}}, "the arena sets vLLM's option api-key itself: leave it out"),
        ({"options": {"max-model-len": 100}}, "the arena sets vLLM's option max-model-len itself: write context"),
        ({"options": {"--enforce-eager": True}}, "should match pattern"),
        ({"sampling": {"temperature": 2.5}}, "vLLM takes a temperature of at most 2"),
        ({"quantization": "int8"}, "Extra inputs"),
    ],
)
def test_what_vllm_would_take_otherwise_than_meant_is_refused(change: dict[str, Any], why: str) -> None:
    assert ADAPTER.validate_python(VLLM | {"options": {"enforce-eager": True}, "sampling": {"temperature": 2.0}})
    with pytest.raises(ValidationError, match=why):
        ADAPTER.validate_python(VLLM | change)
