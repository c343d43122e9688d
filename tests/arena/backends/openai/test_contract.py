"""The contract of every backend, kept before a small server in a thread; test_llamacpp.py has a real one."""

import json
import random
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from arena.backends.base import Backend
from arena.backends.openai.backend import OpenAIBackend
from tests.arena.backends.openai.scripts import contestant
from tests.arena.helpers.contract import Contract

CONTEXT = 2000
WORDS = ("hot", "cold", "up", "down", "sea", "fox", "hen", "eight", "legs", "sun", "moon", "tree", "house", "river")


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
