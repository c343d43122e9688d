"""How fast replies come: the arena's batched backend beside a bare ``generate`` and a thread a request.

``python -m benchmarks.serving [--model checkpoints/demo/sft] [--requests 16] [--tokens 64] [--rounds 5]``

The bare batched ``generate`` is the limit: the same tokens without streaming, stop texts or seeds of their own. All
compute in the dtype that the arena takes.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from arena.backends.base import Reply, Request
from arena.backends.local import TransformersBackend
from arena.contestants import ChatStyle, Sampling
from common.conversation import Conversation

PROMPT = "Tell me a story about Mia and a fox."


def main(argv: list[str] | None = None) -> int:
    """Print a table: median tokens a second, its ratio to the limit, and the median time to a first token."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--model", type=Path, default=Path("checkpoints/demo/sft"))
    parser.add_argument("--requests", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtype", default="auto", choices=["auto", "float32", "bfloat16", "float16"])
    options = parser.parse_args(argv)
    if not (options.model / "config.json").is_file():
        print(
            f"error: {options.model} holds no checkpoint: git checkout checkpoints restores the shipped ones",
            file=sys.stderr,
        )
        return 2
    with tempfile.TemporaryDirectory() as folder:
        endless = _without_ends(options.model, Path(folder) / "model")
        print_table(endless, options)
    return 0


def print_table(model: Path, options: argparse.Namespace) -> None:
    """Run all ways in turn and print their medians."""
    arena, dtype = arena_backend(model, options.requests, options.tokens, options.dtype)
    ways = {
        "one bare generate (limit)": bare_generate(model, options.requests, options.tokens, dtype),
        "arena backend, batched": arena,
        "a thread a request": thread_a_request(model, options.requests, options.tokens, dtype),
    }
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():  # in turn, so that a slow minute hits all alike
            rows[name].append(way())
    print(
        f"{options.requests} requests of {options.tokens} tokens, {options.model} in {dtype}, "
        f"median of {options.rounds} rounds\n"
    )
    print(f"{'':28}{'tokens/s':>10}{'of limit':>10}{'first token':>13}")
    limit = statistics.median(speed for speed, _ in rows["one bare generate (limit)"])
    for name, measured in rows.items():
        speed, first = (statistics.median(column) for column in zip(*measured, strict=True))
        shown = f"{first:11.2f} s" if first else f"{'none shown':>13}"
        print(f"{name:28}{speed:10,.0f}{speed / limit:10.2f}{shown}")


def arena_backend(path: Path, requests: int, tokens: int, dtype: str) -> tuple[Callable[[], tuple[float, float]], str]:
    """Return a round through the arena's backend, and the dtype that it takes."""
    backend = TransformersBackend(path, dtype=dtype)
    sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=tokens)

    async def reply(seed: int) -> Reply:
        async for event in backend.stream(Request(Conversation.ask(PROMPT), ChatStyle(style="chat"), sampling, seed)):
            if isinstance(event, Reply):
                return event
        raise RuntimeError("the stream ended without a reply")

    async def all_at_once() -> list[Reply]:
        return await asyncio.gather(*(reply(seed) for seed in range(requests)))

    def play() -> tuple[float, float]:
        began = time.monotonic()
        replies = asyncio.run(all_at_once())
        seconds = time.monotonic() - began
        return sum(r.tokens for r in replies) / seconds, statistics.median(r.first_seconds for r in replies)

    asyncio.run(backend.load())
    play()
    return play, asyncio.run(reply(0)).recipe["dtype"]


def bare_generate(path: Path, requests: int, tokens: int, dtype: str) -> Callable[[], tuple[float, float]]:
    """Return a round of one batched generate that samples with the global generator."""
    model, inputs = _load(path, dtype)

    def play() -> tuple[float, float]:
        began = time.monotonic()
        model.generate(**{k: v.repeat(requests, 1) for k, v in inputs.items()}, **_full_length(tokens))
        seconds = time.monotonic() - began
        return requests * tokens / seconds, 0.0

    play()
    return play


def thread_a_request(path: Path, requests: int, tokens: int, dtype: str) -> Callable[[], tuple[float, float]]:
    """Return a round with a thread and a text streamer a request, as transformers' documentation shows streaming."""
    from transformers import AutoTokenizer, TextIteratorStreamer

    model, inputs = _load(path, dtype)
    tokenizer = AutoTokenizer.from_pretrained(path)

    def one(firsts: list[float]) -> None:
        began = time.monotonic()
        streamer = TextIteratorStreamer(tokenizer, skip_prompt=True)
        arguments = {**inputs, **_full_length(tokens), "streamer": streamer}
        writer = threading.Thread(target=model.generate, kwargs=arguments)
        writer.start()
        next(iter(streamer))
        firsts.append(time.monotonic() - began)
        writer.join()

    def play() -> tuple[float, float]:
        firsts: list[float] = []
        began = time.monotonic()
        readers = [threading.Thread(target=one, args=(firsts,)) for _ in range(requests)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        return requests * tokens / (time.monotonic() - began), statistics.median(firsts)

    play()
    return play


def _without_ends(model: Path, copy: Path) -> Path:
    """Copy a checkpoint and forget its end tokens, so that every reply has its full length."""
    shutil.copytree(model, copy)
    for name in ("config.json", "generation_config.json"):
        settings = json.loads((copy / name).read_text(encoding="utf-8"))
        settings["eos_token_id"] = None
        (copy / name).write_text(json.dumps(settings), encoding="utf-8")
    return copy


def _load(path: Path, dtype: str):  # type: ignore[no-untyped-def]
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path)
    messages = [{"role": "user", "content": PROMPT}]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return AutoModelForCausalLM.from_pretrained(path, dtype=dtype).eval(), dict(tokenizer(text, return_tensors="pt"))


def _full_length(tokens: int) -> dict[str, int | bool]:
    return {"max_new_tokens": tokens, "min_new_tokens": tokens, "do_sample": True, "top_k": 0}


if __name__ == "__main__":
    sys.exit(main())
