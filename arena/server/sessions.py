"""Session ownership: the stream of a session goes to the visitor who opened it, and to nobody else.

A session is a string that the browser chooses, and Gradio sends its answers to any client that names it. Here the first
event of a session ties it to the visitor's signed cookie. Events per visitor and address are limited here too, far
above what a person can click and far below what would make others wait.

A browser that does not send its cookie back (blocked, or deleted meanwhile) is refused. The page shows the answer, and
its check for the server gets a 404, or it would reload itself again and again.
"""

import json
from collections import OrderedDict

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.guard.limits import network
from arena.server.gate import APP_ID, JOIN, STREAM

KEPT_SESSIONS = 4000
EVENTS_OF_VISITOR = parse("30/10 seconds")
EVENTS_OF_ADDRESS = parse("400/10 seconds")
STREAMS_OF_VISITOR = 8  # one for each open tab

NO_COOKIE = "The cookie of this page is blocked or gone: allow it, then load the page again."
NO_SESSION = "This page is out of date: load it again."
TOO_MANY = "Too many clicks at once: wait a few seconds."


class Sessions:
    """Answer 404 for a stream that is not the visitor's, and 429 for too many events."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._owners: OrderedDict[str, str] = OrderedDict()
        self._streams: dict[str, int] = {}
        self._window = FixedWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the request if its session is the visitor's."""
        path = scope["path"] if scope["type"] == "http" else ""
        if path in (JOIN, STREAM, APP_ID) and scope["state"]["is_new"]:
            await _refuse(404 if path == APP_ID else 403, NO_COOKIE)(scope, receive, send)
            return
        if path == JOIN:
            await self._join(str(scope["state"]["visitor"]), scope, receive, send)
        elif path == STREAM:
            await self._stream(str(scope["state"]["visitor"]), scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _join(self, visitor: str, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()  # complete, as the gate passes it on
        session = str(json.loads(message["body"])["session_hash"])
        address = network(scope["client"][0]) if scope.get("client") else ""
        if self._owners.get(session, visitor) != visitor:
            await _refuse(404, NO_SESSION)(scope, receive, send)
            return
        is_within = self._window.hit(EVENTS_OF_VISITOR, "visitor", visitor)
        if not is_within or (address and not self._window.hit(EVENTS_OF_ADDRESS, "address", address)):
            await _refuse(429, TOO_MANY)(scope, receive, send)
            return
        self._owners[session] = visitor
        self._owners.move_to_end(session)
        while len(self._owners) > KEPT_SESSIONS:
            self._owners.popitem(last=False)

        async def again() -> object:
            nonlocal message
            taken, message = message, {}
            return taken or await receive()

        await self.app(scope, again, send)  # type: ignore[arg-type]

    async def _stream(self, visitor: str, scope: Scope, receive: Receive, send: Send) -> None:
        session = QueryParams(scope["query_string"]).get("session_hash", "")
        is_full = self._streams.get(visitor, 0) >= STREAMS_OF_VISITOR
        if is_full or self._owners.get(session) != visitor:
            refusal = _refuse(429, TOO_MANY) if is_full else _refuse(404, NO_SESSION)
            await refusal(scope, receive, send)
            return
        self._streams[visitor] = self._streams.get(visitor, 0) + 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._streams[visitor] -= 1
            if not self._streams[visitor]:
                del self._streams[visitor]


def _refuse(status: int, why: str) -> JSONResponse:
    # Gradio's page shows one of the two.
    return JSONResponse({"detail": why, "error": why}, status_code=status)
