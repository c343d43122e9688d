"""A real vLLM beside the arena, started once for all tests here: what it writes, and what becomes of it."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arena.backends.base import BackendError, Reply
from arena.backends.vllm.backend import VllmBackend, open_engines
from arena.contestants import ChatStyle, FewShotStyle, VllmContestant
from tests.arena.backends.vllm.played import is_gone, wait_for
from tests.arena.helpers.contract import CHAT, FEW_SHOT, Contract, ask, read

pytestmark = pytest.mark.vllm

PROMPTS = ["What is the opposite of hot?", "Tell me a story about Mia and a fox.", "Hello!"]
MAX_TOKENS = 12
START_SECONDS = 240.0
ENGINE: dict[str, Any] = {
    "backend": "vllm",
    "dtype": "float32",
    "memory": 0.25,
    "options": {"enforce-eager": True, "max-num-seqs": 16},
}


def make_adapter(base: Path, folder: Path) -> Path:
    """Save a small random adapter of a checkpoint, large enough that it changes what is written."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    modules = ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]
    config = LoraConfig(r=4, lora_alpha=16, target_modules=modules, init_lora_weights=False)
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(tiny_family: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(tiny_family / "sft", tmp_path_factory.mktemp("adapters") / "random")


@pytest.fixture(scope="module")
def engines(
    tiny_family: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, VllmBackend]]:
    """Serve the family's stages, and sft twice on one engine: without and with an adapter."""
    entries = [("base", FEW_SHOT, None), ("sft", CHAT, None), ("adapted", CHAT, adapter), ("rlhf", CHAT, None)]
    contestants = [
        VllmContestant(
            name=name,
            stage="any",
            path=str(tiny_family / name.replace("adapted", "sft")),
            prompt=style,
            adapter=folder,
            **ENGINE,
        )
        for name, style, folder in entries
    ]
    backends = open_engines(contestants, tmp_path_factory.mktemp("engines"))
    yield backends
    left = [pid for backend in backends.values() for pid in processes(backend)]
    for backend in backends.values():
        backend.close()
    assert all(backend._engine.join(60) for backend in backends.values())
    assert len(left) > 12
    wait_for(lambda: all(is_gone(pid) for pid in left))


@pytest.fixture(scope="module")
def written(tiny_family: Path, adapter: Path) -> dict[str, list[str]]:
    """Return what transformers writes in the place of each contestant."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    texts = {}
    for name in ("base", "sft", "adapted", "rlhf"):
        folder = tiny_family / name.replace("adapted", "sft")
        model = AutoModelForCausalLM.from_pretrained(folder)
        texts[name] = write(PeftModel.from_pretrained(model, adapter) if name == "adapted" else model, folder)
    return texts


def write(model: Any, folder: Path) -> list[str]:
    from transformers import AutoTokenizer

    from common.few_shot import few_shot_document

    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = []
    for prompt in PROMPTS:
        if tokenizer.chat_template:
            messages = [{"role": "user", "content": prompt}]
            document = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        else:
            document = few_shot_document([("Up?", "Down.")], prompt)
        inputs = tokenizer(document, return_tensors="pt")
        ids = model.eval().generate(**inputs, max_new_tokens=MAX_TOKENS, do_sample=False)[0]
        texts.append(tokenizer.decode(ids[inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip())
    return texts


def processes(backend: VllmBackend) -> dict[int, str]:
    """Return the processes of a backend's engine with their command lines; they are one group."""
    commands = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            commands[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    port = backend._engine.address.rpartition(":")[2]
    (group,) = {os.getpgid(pid) for pid, command in commands.items() if f"--port {port} " in command}
    return {pid: commands[pid] for pid in commands if not is_gone(pid) and os.getpgid(pid) == group}


def run(work: Any) -> Any:
    async def with_patience() -> Any:
        async with asyncio.timeout(START_SECONDS):
            return await work

    return asyncio.run(with_patience())


async def ask_all(backend: VllmBackend, style: ChatStyle | FewShotStyle) -> list[Reply]:
    requests = [ask(prompt, style, max_tokens=MAX_TOKENS) for prompt in PROMPTS]
    await backend.load()
    return [reply for _, reply in await asyncio.gather(*(read(backend, request) for request in requests))]


@pytest.mark.parametrize("name", ["base", "sft", "adapted", "rlhf"])
def test_greedy_replies_are_those_of_transformers(
    engines: dict[str, VllmBackend], written: dict[str, list[str]], name: str
) -> None:
    replies = run(ask_all(engines[name], FEW_SHOT if name == "base" else CHAT))
    assert [reply.text for reply in replies] == written[name]


def test_an_adapter_and_its_base_share_an_engine_and_write_different_replies(
    engines: dict[str, VllmBackend], written: dict[str, list[str]]
) -> None:
    assert engines["sft"]._engine is engines["adapted"]._engine
    assert engines["sft"]._engine is not engines["rlhf"]._engine
    assert all(one != other for one, other in zip(written["sft"], written["adapted"], strict=True))

    async def together() -> tuple[list[Reply], list[Reply]]:
        return await asyncio.gather(ask_all(engines["sft"], CHAT), ask_all(engines["adapted"], CHAT))

    plain, adapted = run(together())
    assert [reply.text for reply in plain] == written["sft"]
    assert [reply.text for reply in adapted] == written["adapted"]
    assert "adapter" not in plain[0].recipe
    assert adapted[0].recipe["adapter"].startswith("sha256:")


class TestContract(Contract):
    """The family's contestant of the middle."""

    @pytest.fixture
    def backend(self, engines: dict[str, VllmBackend]) -> VllmBackend:
        run(engines["sft"].load())
        return engines["sft"]


def test_an_engine_killed_in_the_middle_of_replies_fails_them_and_serves_the_next(
    engines: dict[str, VllmBackend], written: dict[str, list[str]]
) -> None:
    backend = engines["sft"]

    async def kill_in_the_middle() -> list[Any]:
        await backend.load()
        (worker,) = [pid for pid, command in processes(backend).items() if command.startswith("VLLM::Worker")]

        async def one(seed: int) -> None:
            async for event in backend.stream(ask(PROMPTS[1], CHAT, temperature=2.0, max_tokens=90, seed=seed)):
                if not is_gone(worker):
                    os.kill(worker, signal.SIGKILL)
                assert isinstance(event, str), "it was written before the engine was dead"

        # Many at once, so that they take longer than it takes to kill.
        return await asyncio.gather(*(one(seed) for seed in range(16)), return_exceptions=True)

    before = backend._engine.address
    assert any(isinstance(error, BackendError) for error in run(kill_in_the_middle()))
    replies = run(ask_all(backend, CHAT))
    assert [reply.text for reply in replies] == written["sft"]
    assert backend._engine.address != before
