"""Which requests are accepted: the page's routes, and events with only what the page itself sends.

Gradio opens more routes than a public page needs (uploads, files, deep links into other visitors' sessions,
monitoring), and accepts more in an event than its handler takes: a mapping with a path would be read from the server's
disk, one with a URL fetched. So everything that is not in two tables is refused: ROUTES, and the page's events.
Accepted requests are rebuilt from their parsed values, never passed on as they came.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 32_000  # bytes
JOIN = "/gradio_api/queue/join"
STREAM = "/gradio_api/queue/data"
APP_ID = "/gradio_api/app_id"  # by which the page checks that the server is there
BODY_HEADERS = (b"content-length", b"content-type", b"content-encoding", b"transfer-encoding")
SESSION = re.compile(r"\w{1,40}", re.ASCII)


@dataclass(frozen=True)
class Route:
    """An accepted path, with its methods and its query parameters."""

    path: re.Pattern[str]
    methods: frozenset[str] = frozenset({"GET", "HEAD"})
    query: frozenset[str] = frozenset()


ROUTES = (
    Route(re.compile(r"/|/healthz|/favicon\.ico|/theme\.css|/gradio_api/app_id")),
    Route(re.compile(r"/(?:assets|static|svelte)/[\w./-]{1,200}", re.ASCII)),
    Route(re.compile(re.escape(STREAM)), query=frozenset({"session_hash"})),
    Route(re.compile(re.escape(JOIN)), methods=frozenset({"POST"})),
)


@dataclass(frozen=True)
class Event:
    """One event of the page: its name, and the maximum length of each input in characters."""

    name: str
    max_lengths: tuple[int, ...] = ()


class Refused(Exception):
    """A request that the page would not send: the status and the text of the answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Gate:
    """Pass on what the tables allow. events maps Gradio's number of each event to it."""

    def __init__(self, app: ASGIApp, *, events: Mapping[int, Event]) -> None:
        self.app = app
        self.events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 404 for unknown routes, 413 for large bodies and 422 for invalid ones, or pass the request on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        try:
            route = find_route(scope["method"], str(scope["path"]))
            body = await _read_body(receive)
            if "POST" in route.methods:
                body = read_event(body, self.events)
        except Refused as refused:
            await PlainTextResponse(str(refused), status_code=refused.status)(scope, receive, send)
            return
        query = _known_parameters(scope["query_string"], route)
        headers = [(name, value) for name, value in scope["headers"] if name not in BODY_HEADERS]
        if "POST" in route.methods:
            headers += [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
        await self.app({**scope, "query_string": query, "headers": headers}, _replay(body, receive), send)


def find_route(method: str, path: str) -> Route:
    """Return the route of a request.

    Raises:
        Refused: there is none.
    """
    for route in ROUTES:
        if method in route.methods and route.path.fullmatch(path) and ".." not in path:
            return route
    raise Refused(404, "not found")


def read_event(body: bytes, events: Mapping[int, Event]) -> bytes:
    """Return an event's body, rebuilt with what its handler takes and nothing else.

    Raises:
        Refused: there is no such event, or the page would not send this.
    """
    try:
        sent = json.loads(body)
        number, session, data = sent["fn_index"], sent["session_hash"], sent["data"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Refused(422, "not an event of this page") from None
    if type(number) is not int or number not in events:
        raise Refused(404, "no such event")
    if not isinstance(session, str) or not SESSION.fullmatch(session):
        raise Refused(422, "not a session of this page")
    max_lengths = events[number].max_lengths
    if not isinstance(data, list) or len(data) != len(max_lengths):
        raise Refused(422, f"{len(max_lengths)} values are expected")
    for value, most in zip(data, max_lengths, strict=True):
        if not isinstance(value, str) or len(value) > most or not _is_text(value):
            raise Refused(422, f"a text of at most {most} characters is expected")
    trigger = sent.get("trigger_id")
    kept: dict[str, Any] = {"fn_index": number, "session_hash": session, "data": data, "event_data": None}
    return json.dumps(kept | {"trigger_id": trigger if type(trigger) is int else None}).encode()


def _is_text(value: str) -> bool:
    try:
        value.encode()  # fails on half of a surrogate pair
    except UnicodeEncodeError:
        return False
    return True


def _known_parameters(query: bytes, route: Route) -> bytes:
    sent = QueryParams(query)
    kept = [(name, sent[name]) for name in sorted(route.query) if SESSION.fullmatch(sent.get(name, ""))]
    return "&".join(f"{name}={value}" for name, value in kept).encode()


async def _read_body(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "incomplete")  # it may still look complete
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise Refused(413, "too large")
        if not message.get("more_body"):
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    is_sent = False

    async def again() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
