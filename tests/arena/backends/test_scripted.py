"""The backend without a model, and a battle between two of its contestants."""

import asyncio
from pathlib import Path

import pytest
import yaml

from arena.backends.base import Reply, Request
from arena.backends.opening import open_backends
from arena.backends.scripted import ScriptedBackend
from arena.config import load_models
from arena.contestants import ChatStyle, Contestant, Sampling
from common.conversation import Conversation

ONE, TWO = "One  two\nthree.", "Four."


def read(backend: ScriptedBackend, seed: int) -> list[str | Reply]:
    async def all_of_it() -> list[str | Reply]:
        request = Request(Conversation.ask("Why?"), ChatStyle(style="chat"), Sampling(), seed)
        return [event async for event in backend.stream(request)]

    return asyncio.run(all_of_it())


def test_the_seed_chooses_the_reply_and_the_words_make_it_up() -> None:
    backend = ScriptedBackend((ONE, TWO), seconds_per_word=0)
    for seed, text in ((4, ONE), (5, TWO)):
        *words, last = read(backend, seed)
        assert isinstance(last, Reply)
        assert "".join(map(str, words)) == last.text == text
    assert read(backend, 7)[0] == read(backend, 9)[0] == TWO


def test_scripted_contestants_come_from_models_yaml_and_need_no_weights(tmp_path: Path) -> None:
    entries = [
        {"name": name, "stage": "sft", "backend": "scripted", "replies": [text]}
        for name, text in (("a1", ONE), ("b1", TWO))
    ]
    file = tmp_path / "models.yaml"
    file.write_text(yaml.safe_dump({"contestants": entries}), encoding="utf-8")
    backends = open_backends(load_models(file).contestants)
    assert sorted(backends) == ["a1", "b1"]
    assert all(isinstance(backend, ScriptedBackend) for backend in backends.values())


def test_a_contestant_of_an_unknown_kind_has_no_backend() -> None:
    with pytest.raises(TypeError, match="no backend writes for Contestant"):
        open_backends([Contestant(name="x1", stage="sft", prompt=ChatStyle(style="chat"))])
