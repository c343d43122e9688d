"""Requests to the server around the page by httpx, without a network."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from arena.server.gate import Event, Gate
from arena.server.policy import Policy
from arena.server.sessions import Sessions
from arena.server.visitors import Visitors

EVENTS = {0: Event("send", (100,)), 3: Event("vote", (32,)), 7: Event("refresh")}
PAGE = '<html><head><script>one()</script><script type="module" src="/x.js"></script></head><body>Hi</body></html>'


async def page(request: Request) -> Response:
    return HTMLResponse(PAGE)


async def echo(request: Request) -> Response:
    body = await request.body()
    return JSONResponse(
        {
            "visitor": request.state.visitor,
            "query": request.url.query,
            "body": body.decode(),
            "path": request.url.path,
            "type": request.headers.get("content-type"),
        }
    )


def build_app(secret: str = "s3cret") -> Any:
    """Return an app that answers everything, behind the three in the order of the real server."""
    routes = [
        Route("/", page, methods=["GET", "HEAD"]),
        Route("/{path:path}", echo, methods=["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]),
    ]
    return Gate(Policy(Visitors(Sessions(Starlette(routes=routes)), secret=secret)), events=EVENTS)


Talk = Callable[[httpx.AsyncClient], Awaitable[Any]]


def talk(conversation: Talk, *, app: Any = None, base: str = "http://arena.test", **options: Any) -> Any:
    async def run() -> Any:
        transport = httpx.ASGITransport(app or build_app())
        async with httpx.AsyncClient(transport=transport, base_url=base, **options) as client:
            return await conversation(client)

    return asyncio.run(run())


def ask(method: str, path: str, **options: Any) -> httpx.Response:
    """Ask once; for what only a page asks, after the page, which brings its cookie."""

    async def after_the_page(client: httpx.AsyncClient) -> httpx.Response:
        if path.startswith("/gradio_api"):
            await client.get("/")
        return await client.request(method, path, **options)

    response: httpx.Response = talk(after_the_page)
    return response


def event(**changes: Any) -> dict[str, Any]:
    """Return the event that asks something, as the page sends it."""
    return {"fn_index": 0, "session_hash": "s1", "data": ["Hi"], "event_data": None, "trigger_id": 5} | changes
