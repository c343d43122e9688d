"""A small random Llama with a byte-level tokenizer, and helpers to ask it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from arena.backends.base import Reply, Request
from arena.backends.local import TransformersBackend
from arena.contestants import ChatStyle, FewShotStyle, Sampling, Shot
from common.conversation import Conversation
from tests.arena.helpers.played import PATIENCE

CONTEXT = 256
CHAT = ChatStyle(style="chat")
FEW_SHOT = FewShotStyle(style="few-shot", examples=(Shot(question="Up?", answer="Down."),))


def make_checkpoint(folder: Path) -> Path:
    """Make the checkpoint: two layers, 32 wide, about 300 tokens, random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from training.stages.tokenizer import CHAT_TEMPLATE, DOCUMENT_END, REPLY_END, train_tokenizer

    sentences = ["The opposite of hot is cold.", "A hen says cluck.", "A spider has eight legs.", "Mia saw a fox."]
    tokenizer = train_tokenizer(sentences, 300, CONTEXT)
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.3,  # wide, so that the best token is clearly the best
    )
    model = LlamaForCausalLM(config)
    ends = [tokenizer.convert_tokens_to_ids(token) for token in (DOCUMENT_END, REPLY_END)]
    model.generation_config.eos_token_id = ends
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    return folder


def copy_checkpoint(checkpoint: Path, folder: Path, **config: Any) -> Path:
    """Copy a checkpoint, to be changed; what is given goes into its config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in checkpoint.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    tree = json.loads((folder / "config.json").read_text(encoding="utf-8")) | config
    (folder / "config.json").write_text(json.dumps(tree), encoding="utf-8")
    return folder


def change_weights(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Let a function change the tensors of a checkpoint by name."""
    from safetensors.torch import load_file, save_file

    tensors = {name: tensor.clone() for name, tensor in load_file(folder / "model.safetensors").items()}
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def run(awaitable: Awaitable[Any]) -> Any:
    async def with_patience() -> Any:
        async with asyncio.timeout(PATIENCE * 2):
            return await awaitable

    return asyncio.run(with_patience())


def ask(prompt: str = "What is hot?", *, seed: int = 1, style: Any = CHAT, **sampling: Any) -> Request:
    return Request(Conversation.ask(prompt), style, Sampling(**({"max_tokens": 24} | sampling)), seed)


async def read(backend: TransformersBackend, request: Request) -> tuple[list[str], Reply]:
    events = [event async for event in backend.stream(request)]
    assert isinstance(events[-1], Reply)
    assert all(isinstance(event, str) for event in events[:-1])
    return events[:-1], events[-1]  # type: ignore[return-value]


def replies(backend: TransformersBackend, *requests: Request) -> list[Reply]:
    """Ask for all at once."""

    async def together() -> list[Reply]:
        return [reply for _, reply in await asyncio.gather(*(read(backend, request) for request in requests))]

    found: list[Reply] = run(together())
    return found
