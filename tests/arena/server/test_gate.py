"""Which requests are accepted: the routes of the page, and events with only what the page itself sends."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.responses import Response

from arena.server.gate import JOIN, MAX_BODY, Event, Gate, Refused, read_event
from tests.arena.helpers.talking import EVENTS, ask, event, talk

OPEN = [
    ("GET", "/"), ("HEAD", "/"), ("GET", "/healthz"), ("GET", "/theme.css"), ("GET", "/favicon.ico"),
    ("GET", "/assets/index-BkT2.js"), ("GET", "/static/fonts/a/b.woff2"), ("GET", "/svelte/svelte.js"),
    ("GET", "/gradio_api/app_id"),
]  # fmt: skip
CLOSED = [
    ("GET", "/config"), ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/gradio_api/deep_link"),
    ("GET", "/monitoring/summary"), ("GET", "/monitoring"), ("POST", "/gradio_api/upload"), ("POST", "/upload"),
    ("GET", "/gradio_api/file=/etc/passwd"), ("GET", "/file=models.yaml"), ("POST", "/gradio_api/run/vote"),
    ("POST", "/gradio_api/call/send"), ("POST", "/gradio_api/component_server"), ("GET", "/gradio_api/queue/join"),
    ("GET", "/login"), ("POST", "/login"), ("POST", "/"), ("PUT", "/"), ("POST", "/gradio_api/cancel"),
    ("OPTIONS", "/gradio_api/queue/join"), ("PATCH", "/gradio_api/queue/join"), ("GET", "/assets/../config"),
    ("GET", "/assets/%2e%2e/config"), ("GET", "/static/..%2f..%2fetc/passwd"), ("GET", "/gradio_api/queue/data/more"),
    ("GET", "/assets/x%0aconfig"), ("GET", "/healthz/"), ("GET", "http://arena.test//"),
    ("GET", "/gradio_api/heartbeat/abc"), ("GET", "/custom_component/x"), ("POST", "/healthz"),
    ("GET", "/gradio_api/stream/x/y/z/playlist.m3u8"), ("GET", "/gradio_api/proxy=http://x"),
    ("POST", "/gradio_api/queue/data"), ("GET", "/gradio_api/queue/data"), ("GET", "/gradio_api/info"),
    ("GET", "/gradio_api/startup-events"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), OPEN)
def test_the_routes_of_the_page_get_through(method: str, path: str) -> None:
    assert ask(method, path).status_code == 200


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_every_other_route_is_not_found(method: str, path: str) -> None:
    assert ask(method, path).status_code == 404


def test_the_path_reaches_the_gate_as_it_was_written() -> None:
    """Guards the test above: httpx must not have mended the paths that climb."""
    assert httpx.URL("http://arena.test/assets/%2e%2e/config").raw_path == b"/assets/%2e%2e/config"


def test_an_event_of_the_page_arrives_with_what_its_handler_takes_and_nothing_else() -> None:
    sent = event(event_data={"path": "/etc/passwd"}, batched=True, headers={"x": "y"}, request={"a": 1})
    answer = ask("POST", JOIN, json=sent, headers={"content-type": "text/plain"}).json()
    assert json.loads(answer["body"]) == {
        "fn_index": 0, "session_hash": "s1", "data": ["Hi"], "event_data": None, "trigger_id": 5,
    }  # fmt: skip
    assert answer["type"] == "application/json"


FILE = {"path": "/dev/zero", "meta": {"_type": "gradio.FileData"}}
ODD = {
    "a file": (event(data=[FILE]), 422),
    "a remote file": (event(data=[{"url": "http://127.0.0.1:1/x", "meta": {"_type": "gradio.FileData"}}]), 422),
    "a file in a list": (event(data=[[FILE]]), 422),
    "a file for an event without inputs": (event(fn_index=7, data=[FILE]), 422),
    "a mapping of data": (event(data={"0": "Hi"}), 422),
    "no text": (event(data=[None]), 422),
    "a number": (event(data=[5]), 422),
    "a text that is too long": (event(data=["x" * 101]), 422),
    "half a surrogate pair": (event(data=["\ud800"]), 422),
    "too many values": (event(data=["Hi", "you"]), 422),
    "no values": (event(data=[]), 422),
    "no data": ({"fn_index": 0, "session_hash": "s1"}, 422),
    "an unknown event": (event(fn_index=1), 404),
    "a negative event": (event(fn_index=-1), 404),
    "a true event": (event(fn_index=True), 404),
    "an event as text": (event(fn_index="0"), 404),
    "an endless event": (event(fn_index=float("inf")), 404),
    "a session with a path": (event(session_hash="../x"), 422),
    "a session that is a list": (event(session_hash=["s1"]), 422),
    "no session": (event(session_hash=None), 422),
    "an endless session": (event(session_hash="x" * 41), 422),
    "a list": ([event()], 422),
    "a text": ("event", 422),
}


@pytest.mark.parametrize("odd", ODD)
def test_an_event_that_the_page_would_not_send_reaches_no_handler(odd: str) -> None:
    sent, status = ODD[odd]
    assert ask("POST", JOIN, content=json.dumps(sent).encode()).status_code == status


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 20_000, b"\xff\xfe", b"null", b'{"fn_index": 1e999}'], ids=repr)
def test_a_body_that_is_no_event_is_refused(body: bytes) -> None:
    assert ask("POST", JOIN, content=body).status_code in (404, 422)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=200) | st.just(FILE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["fn_index", "session_hash", "data", "event_data", "trigger_id", "api_name", "path"])


@given(st.dictionaries(NAMES, ANYTHING, max_size=7) | ANYTHING | st.builds(lambda v: event(data=[v]), ANYTHING))
@example(event())
def test_whatever_is_sent_what_gets_through_is_a_known_event_with_short_texts(sent: Any) -> None:
    """Thousands of such requests leave a server that answers: see test_fuzzed_server.py."""
    try:
        kept = json.loads(read_event(json.dumps(sent).encode(), EVENTS))
    except Refused:
        return
    max_lengths = EVENTS[kept["fn_index"]].max_lengths
    assert set(kept) == {"fn_index", "session_hash", "data", "event_data", "trigger_id"}
    assert len(kept["data"]) == len(max_lengths)
    assert all(
        isinstance(value, str) and len(value) <= most for value, most in zip(kept["data"], max_lengths, strict=True)
    )
    assert kept["event_data"] is None


@given(st.binary(max_size=300))
def test_whatever_bytes_are_sent_they_are_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read_event(body, EVENTS)
    assert "\n" not in str(caught.value)


def big(size: int) -> bytes:
    body = json.dumps(event()).encode()
    return body + b" " * (size - len(body))


def test_a_body_of_the_limit_gets_through_and_one_byte_more_does_not() -> None:
    assert MAX_BODY == 32_000
    assert ask("POST", JOIN, content=big(32_000)).status_code == 200
    assert ask("POST", JOIN, content=big(32_001)).status_code == 413


def test_a_large_body_without_a_length_is_stopped_on_its_way() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10_000_000:
            sent += 1000
            yield b"x" * 1000

    response = ask("POST", JOIN, content=endless())
    assert "content-length" not in response.request.headers
    assert response.status_code == 413
    assert sent <= MAX_BODY + 2000


def test_a_small_body_in_chunks_arrives_whole() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for letter in json.dumps(event()):
            yield letter.encode()

    assert json.loads(ask("POST", JOIN, content=chunks()).json()["body"])["data"] == ["Hi"]


def test_queries_are_dropped_but_for_the_session_of_a_stream() -> None:
    seen: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["query_string"])
        await Response("ok")(scope, receive, send)

    async def all_of_them(client: httpx.AsyncClient) -> None:
        await client.get("/?deep_link=stolen&session_hash=x")
        await client.get("/gradio_api/app_id?x=true")
        await client.get("/gradio_api/queue/data?session_hash=x&__sign=y")
        await client.get("/gradio_api/queue/data?session_hash=../x")

    talk(all_of_them, app=Gate(app, events={}))
    assert seen == [b"", b"", b"session_hash=x", b""]


def test_the_lifespan_of_the_app_passes_and_a_websocket_does_not() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def both() -> None:
        gate = Gate(app, events={})
        for kind in ("lifespan", "websocket"):
            await gate({"type": kind, "path": "/"}, None, None)  # type: ignore[arg-type]

    asyncio.run(both())
    assert seen == ["lifespan"]


def test_the_table_of_events_is_the_pages_own(tmp_path: Any) -> None:
    """Every event of the real page is in the table, takes texts only, and is named."""
    from contextlib import closing

    from arena.config import Models
    from arena.ledger.store import Store
    from arena.service import Service
    from arena.ui.page import build_page, events_of
    from tests.arena.helpers.played import PlayedBackend, make_contestant

    contestants = (make_contestant("alder"), make_contestant("birch"))
    with closing(Store(tmp_path / "arena.db")) as store:
        service = Service(contestants, {c.name: PlayedBackend() for c in contestants}, store)

        async def build() -> dict[int, Event]:  # in a loop: outside of one, Gradio makes some and closes none
            return events_of(build_page(service, Models(contestants=contestants), tmp_path / "arena.db"))

        events = asyncio.run(build())
        assert {event.name: event.max_lengths for event in events.values()} == {
        "send": (4002,), "vote": (32,), "clear": (32,), "look": (32,), "resume": (4002,), "refresh": (),
    }  # fmt: skip
    assert all(isinstance(event, Event) for event in events.values())
