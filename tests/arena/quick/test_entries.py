"""A models.yaml for servers that run already."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.config import load_models
from arena.contestants import OpenAIContestant
from arena.guard.identity import find_name, fold_name
from arena.quick.entries import name_contestants, write_models
from arena.quick.servers import Server

HERE, THERE = "http://127.0.0.1:8000/v1", "http://127.0.0.1:8001/v1"


@pytest.mark.parametrize(
    ("models", "names"),
    [
        ([("org/Birch-7B", HERE), ("alder", HERE)], ["Birch-7B", "alder"]),
        ([("one/birch", HERE), ("two/birch", HERE)], ["one birch", "two birch"]),
        ([("birch", HERE), ("birch", THERE)], ["birch 127.0.0.1:8000", "birch 127.0.0.1:8001"]),
        ([("birch:1b", HERE), ("Birch:1B", HERE)], ["birch:1b 127.0.0.1:8000", "Birch:1B 127.0.0.1:8000 2"]),
        ([("../../etc", HERE), ("<b>", HERE), ("7", HERE)], ["etc", "model b", "model 7"]),
    ],
)
def test_names_are_short_and_tell_who_is_who(models: list[tuple[str, str]], names: list[str]) -> None:
    assert name_contestants(models) == names
    assert len({fold_name(name) for name in names}) == len(models)


def load(text: str, folder: Path) -> tuple[OpenAIContestant, ...]:
    file = folder / "models.yaml"
    file.write_text(text, encoding="utf-8")
    contestants = load_models(file).contestants
    assert all(isinstance(each, OpenAIContestant) for each in contestants)
    return contestants  # type: ignore[return-value]


PRINTABLE = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=200)


@given(names=st.lists(PRINTABLE.map(str.strip).filter(bool), min_size=2, max_size=6))
def test_whatever_servers_call_their_models_the_file_can_be_used(
    names: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    servers = [Server(HERE, "vllm", tuple(names[:2])), Server(THERE, "ollama", tuple(names[1:]))]
    contestants = load(write_models(servers, [None, None]), tmp_path_factory.mktemp("quick"))
    assert [each.model for each in contestants] == [*names[:2], *names[1:]]


def test_an_entry_says_where_and_how_its_model_is_asked(tmp_path: Path) -> None:
    servers = [Server(HERE, "vllm", ("Qwen/Qwen3-4B",)), Server(THERE, "openai", ("alder",))]
    qwen, alder = load(write_models(servers, [None, "ALDER_KEY"]), tmp_path)
    assert (qwen.name, qwen.model, qwen.dialect, qwen.base_url) == ("Qwen3-4B", "Qwen/Qwen3-4B", "vllm", (HERE,))
    assert (qwen.api_key_env, alder.api_key_env) == (None, "ALDER_KEY")
    assert qwen.sampling == alder.sampling


def test_a_reply_that_tells_the_model_s_family_is_seen_to_do_so(tmp_path: Path) -> None:
    servers = [Server(HERE, "vllm", ("Qwen/Qwen3-4B", "model-2")), Server(THERE, "vllm", ("Qwen/Qwen3-4B",))]
    first, plain, _ = load(write_models(servers, [None, None]), tmp_path)
    assert find_name("I am Qwen, a model.", first.known_as)
    assert not find_name("I am Qwen, a model.", (plain.name, *plain.known_as))
