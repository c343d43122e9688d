"""Entries of models.yaml by the kind of their backend; whole files are in test_config.py."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from arena.config import LEVELS, Models
from arena.contestants import AnyContestant, Contestant, ScriptedContestant, TransformersContestant, names_of
from common.models_yaml import ModelsError, validate

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


OPENAI = {"name": "alder", "stage": "sft", "backend": "openai", "model": "m", "dialect": "vllm"}
ADDRESSES = (
    "http://user:SECRETPW@h/v1", "http://h/v1?key=SECRETPW", "http://h/v1#SECRETPW", "user:SECRETPW@h", "http://h:0/v1",
    "http://exa mple.com/v1", "http://a..b/v1", "http://%00/v1", "http://h/\x01v1", "http://a\u202eb/v1", "h", "",
    "ftp://h/v1", "http://[v1.a]/v1", "http://-a/v1", "http://h:99999/v1",
)  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("as_list", [False, True])
def test_an_address_that_is_none_is_refused_without_what_may_be_a_password(address: str, as_list: bool) -> None:
    tree = {"contestants": [OPENAI | {"base_url": [address] if as_list else address}]}
    with pytest.raises(ModelsError) as refusal:
        validate(Models, tree, Path("models.yaml"), levels=LEVELS)
    assert "write" in str(refusal.value)
    assert "SECRETPW" not in str(refusal.value)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8000/v1/", "https://api.example.com/v1", "http://[::1]:8000/v1", "http://gpu_1.lan"]
)
def test_an_address_is_taken(address: str) -> None:
    tree = {"contestants": [OPENAI | {"base_url": address}, OPENAI | {"name": "b1", "base_url": address}]}
    models = validate(Models, tree, Path("models.yaml"), levels=LEVELS)
    assert models.contestants[0].base_url == (address.rstrip("/"),)  # type: ignore[union-attr]


SECRETS: dict[str, dict[str, Any]] = {
    "the key in the place of its name": {"api_key_env": "sk-SECRETPW"},
    "a key that looks like a name": {"api_key_env": "gsk_SECRETPW7"},
    "a key among the options": {"options": {"API-Key": "SECRETPW"}},
    "a header's value": {"headers_env": {"X-Key": "sk-SECRETPW"}},
    "options": {"options": {"model": "x", "api_key": "SECRETPW"}},
    "an entry that is wrong as a whole": {"sampling": {"temperature": 3.0}, "options": {"api_key": "SECRETPW"}},
    "no number": {"options": {"api_key": "SECRETPW", "x": float("nan")}},
    "a header of HTTP itself": {"headers_env": {"Content-Length": "SECRETPW"}},
    "a number beyond all bounds": {"context": 10**30},
}


@pytest.mark.parametrize("name", SECRETS)
def test_no_refusal_shows_what_may_be_a_key(name: str) -> None:
    tree = {"contestants": [OPENAI | {"base_url": "http://h/v1"} | SECRETS[name]]}
    with pytest.raises(ModelsError) as refusal:
        validate(Models, tree, Path("models.yaml"), levels=LEVELS)
    assert "SECRETPW" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


def test_what_a_server_or_the_hub_calls_a_model_gives_it_away_too() -> None:
    served = OPENAI | {"base_url": "http://h/v1", "model": "maker/birch-7b"}
    hub = CHECKPOINT | {"name": "hub", "path": "Maker/Oak-3B", "revision": "main"}
    plain = served | {"name": "plain", "model": "model"}
    contestants = [ADAPTER.validate_python(entry) for entry in (served, hub, plain)]
    assert names_of(contestants) == ("alder", "birch-7b", "hub", "Oak-3B", "plain")


@pytest.mark.parametrize("change", [{"stage": "\u202esft"}, {"stage": "a\nb"}, {"tags": ["\x1b[31m"]}, {"stage": ""}])
def test_words_that_are_shown_can_be_seen(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(SCRIPTED | change)
