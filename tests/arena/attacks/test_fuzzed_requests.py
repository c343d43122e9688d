"""After thousands of invalid requests the server still answers, and nothing was stored or leaked."""

import asyncio
import json
import logging
import random
import tempfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from arena.server.gate import JOIN, STREAM
from tests.arena.helpers.played import PATIENCE
from tests.arena.helpers.served import Arena

pytestmark = pytest.mark.slow

REQUESTS = 3000
AT_ONCE = 20


def a_file(path: str) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def odd_value(rng: random.Random, secret: Path, depth: int = 0) -> Any:
    choices: list[Any] = [
        None, True, -1, 1e300, "", "x" * rng.randint(0, 5000), "\x00", a_file("/dev/zero"), a_file(str(secret)),
        a_file("/proc/self/environ"), {"url": "http://127.0.0.1:9/x", "meta": {"_type": "gradio.FileData"}},
        {"__type__": "update"}, {"path": str(secret)},
    ]  # fmt: skip
    if depth < 3:
        choices += [[odd_value(rng, secret, depth + 1)], {"a": odd_value(rng, secret, depth + 1)}]
    return rng.choice(choices)


def odd_request(rng: random.Random, secret: Path) -> tuple[str, str, bytes]:
    """Return method, path and body of a request: mostly events, some of them nearly right."""
    body: Any = {
        "fn_index": rng.choice([*range(-1, 14), None, "0", 10**30]),
        "session_hash": rng.choice(["s1", "s2", "", None, "../x", "x" * 100, ["s"]]),
        "data": rng.choice([[], [odd_value(rng, secret)], [odd_value(rng, secret)] * 3, odd_value(rng, secret)]),
        "event_data": odd_value(rng, secret),
        "trigger_id": odd_value(rng, secret),
    }
    for name in list(body):
        if rng.random() < 0.1:
            del body[name]
    raw = json.dumps(body).encode()
    if rng.random() < 0.2:
        raw = rng.randbytes(rng.randint(0, 200))
    path = rng.choice([JOIN, JOIN, JOIN, f"{STREAM}?session_hash={rng.choice(['s1', 'z', '', '../'])}", "/",
                       "/gradio_api/upload", f"/gradio_api/file={secret}", f"/file={secret}", "/gradio_api/cancel",
                       "/gradio_api/run/send", "/config", f"/assets/..{secret}", f"/svelte/%2e.{secret}"])  # fmt: skip
    method = "POST" if path == JOIN or rng.random() < 0.3 else rng.choice(["GET", "HEAD", "PUT", "DELETE"])
    return method, path, raw


async def bombard(arena: Arena, n: int, secret: Path) -> list[int]:
    rng, room = random.Random(5), asyncio.Semaphore(AT_ONCE)
    statuses: list[int] = []

    async def one(client: httpx.AsyncClient, request: tuple[str, str, bytes]) -> None:
        method, path, body = request
        async with room:
            try:
                # A stream that is opened answers with what it has; nobody waits here for its end.
                async with client.stream(method, path, content=body, timeout=5) as answer:
                    statuses.append(answer.status_code)
                    if not path.startswith(STREAM):
                        text = (await answer.aread()).decode(errors="replace")
                        assert "swordfish" not in text
                        assert str(secret) not in text
            except httpx.ReadTimeout:
                statuses.append(0)

    async with httpx.AsyncClient(base_url=arena.url, limits=httpx.Limits(max_connections=AT_ONCE)) as client:
        await asyncio.gather(*(one(client, odd_request(rng, secret)) for _ in range(n)))
    return statuses


def test_the_server_answers_after_thousands_of_odd_requests_and_has_read_no_file(
    arena: Arena, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("swordfish")
    with caplog.at_level(logging.WARNING):
        statuses = asyncio.run(bombard(arena, REQUESTS, secret))
    assert len(statuses) == REQUESTS
    assert 0 not in statuses
    assert set(statuses) <= {200, 404, 405, 413, 422, 429}
    assert httpx.get(f"{arena.url}/healthz", timeout=2).json()["status"] == "ok"
    assert list(Path(tempfile.gettempdir()).glob("gradio/**/secret*")) == []  # no copy was made of it
    # What is thrown at it is not what happens: the log does not grow with it.
    assert len(caplog.records) < 50


def test_a_file_that_is_endless_hangs_nothing(arena: Arena) -> None:
    body = {"data": [a_file("/dev/zero")], "fn_index": 0, "session_hash": "x"}
    answers = [httpx.post(arena.url + JOIN, json=body | {"fn_index": n}, timeout=PATIENCE) for n in range(14)]
    assert {answer.status_code for answer in answers} <= {404, 422}
    assert httpx.get(f"{arena.url}/healthz", timeout=2).status_code == 200
