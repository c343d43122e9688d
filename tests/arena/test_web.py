"""The server around the page: what gets through, what the browser may do, who is asking."""

import asyncio
import re
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from arena.web import COOKIE, MAX_BODY, Gate, Policy, Visitors, read_secret

PAGE = '<html><head><script>one()</script><script type="module" src="/x.js"></script></head><body>Hi</body></html>'


async def page(request: Request) -> Response:
    return HTMLResponse(PAGE)


async def echo(request: Request) -> Response:
    body = await request.body()
    return JSONResponse(
        {"visitor": request.state.visitor, "query": request.url.query, "size": len(body), "path": request.url.path}
    )


def build_app(secret: str = "s3cret") -> Any:
    """Return an app that answers everything, behind the three in the order of the real server."""
    routes = [
        Route("/", page, methods=["GET", "HEAD"]),
        Route("/{path:path}", echo, methods=["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]),
    ]
    return Gate(Policy(Visitors(Starlette(routes=routes), secret=secret)))


Talk = Callable[[httpx.AsyncClient], Awaitable[Any]]


def talk(conversation: Talk, *, app: Any = None, base: str = "http://arena.test", **options: Any) -> Any:
    async def run() -> Any:
        transport = httpx.ASGITransport(app or build_app())
        async with httpx.AsyncClient(transport=transport, base_url=base, **options) as client:
            return await conversation(client)

    return asyncio.run(run())


def ask(method: str, path: str, **options: Any) -> httpx.Response:
    response: httpx.Response = talk(lambda client: client.request(method, path, **options))
    return response


OPEN = [
    ("GET", "/"), ("HEAD", "/"), ("GET", "/healthz"), ("GET", "/theme.css"), ("GET", "/favicon.ico"),
    ("GET", "/assets/index-BkT2.js"), ("GET", "/static/fonts/a/b.woff2"), ("GET", "/svelte/svelte.js"),
    ("GET", "/gradio_api/queue/data"), ("GET", "/gradio_api/info"), ("GET", "/gradio_api/startup-events"),
    ("GET", "/gradio_api/heartbeat/abc123"), ("POST", "/gradio_api/queue/join"), ("POST", "/gradio_api/cancel"),
]  # fmt: skip
CLOSED = [
    ("GET", "/config"), ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/gradio_api/deep_link"),
    ("GET", "/monitoring/summary"), ("GET", "/monitoring"), ("POST", "/gradio_api/upload"), ("POST", "/upload"),
    ("GET", "/gradio_api/file=/etc/passwd"), ("GET", "/file=models.yaml"), ("POST", "/gradio_api/run/vote"),
    ("POST", "/gradio_api/call/send"), ("POST", "/gradio_api/component_server"), ("GET", "/gradio_api/queue/join"),
    ("GET", "/login"), ("POST", "/login"), ("POST", "/"), ("PUT", "/"), ("DELETE", "/gradio_api/cancel"),
    ("OPTIONS", "/gradio_api/queue/join"), ("PATCH", "/gradio_api/queue/join"), ("GET", "/assets/../config"),
    ("GET", "/assets/%2e%2e/config"), ("GET", "/static/..%2f..%2fetc/passwd"), ("GET", "/gradio_api/queue/data/more"),
    ("GET", "/assets/x%0aconfig"), ("GET", "/healthz/"), ("GET", "http://arena.test//"),
    ("GET", "/gradio_api/heartbeat/a/b"), ("GET", "/custom_component/x"),
    ("GET", "/gradio_api/stream/x/y/z/playlist.m3u8"), ("GET", "/gradio_api/proxy=http://x"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), OPEN)
def test_the_routes_of_the_page_get_through(method: str, path: str) -> None:
    assert ask(method, path).status_code == 200


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_every_other_route_is_not_found(method: str, path: str) -> None:
    response = ask(method, path)
    assert (response.status_code, response.text) == (404, "not found")


def test_the_path_reaches_the_gate_as_it_was_written() -> None:
    """Guards the test above: httpx must not have mended the paths that climb."""
    assert httpx.URL("http://arena.test/assets/%2e%2e/config").raw_path == b"/assets/%2e%2e/config"


def test_a_body_of_the_limit_gets_through_and_one_byte_more_does_not() -> None:
    assert ask("POST", "/gradio_api/queue/join", content=b"x" * MAX_BODY).json()["size"] == MAX_BODY == 32_000
    assert ask("POST", "/gradio_api/queue/join", content=b"x" * 32_001).status_code == 413


def test_a_large_body_without_a_length_is_stopped_on_its_way() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10_000_000:
            sent += 1000
            yield b"x" * 1000

    response = ask("POST", "/gradio_api/queue/join", content=endless())
    assert "content-length" not in response.request.headers
    assert response.status_code == 413
    assert sent <= MAX_BODY + 2000


def test_a_small_body_in_chunks_arrives_whole() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 1000

    assert ask("POST", "/gradio_api/queue/join", content=chunks()).json()["size"] == 30_000


def test_the_query_is_dropped_from_the_page_only() -> None:
    seen: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["query_string"])
        await Response("ok")(scope, receive, send)

    async def both(client: httpx.AsyncClient) -> None:
        await client.get("/?deep_link=stolen&session_hash=x")
        await client.get("/gradio_api/queue/data?session_hash=x")

    talk(both, app=Gate(app))
    assert seen == [b"", b"session_hash=x"]


def test_the_lifespan_of_the_app_passes_and_a_websocket_does_not() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def both() -> None:
        gate = Gate(app)
        for kind in ("lifespan", "websocket"):
            await gate({"type": kind, "path": "/"}, None, None)  # type: ignore[arg-type]

    asyncio.run(both())
    assert seen == ["lifespan"]


def cookie_of(response: httpx.Response) -> str:
    return response.headers["set-cookie"]


def test_a_new_visitor_gets_a_cookie_that_scripts_cannot_read() -> None:
    words = [word.strip() for word in cookie_of(ask("GET", "/healthz")).split(";")]
    assert re.fullmatch(rf"{COOKIE}=[0-9a-f]{{32}}\.[\w-]{{20,}}", words[0])
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(words)
    assert "Secure" not in words
    assert not any(word.startswith("Domain") for word in words)


def test_the_cookie_is_secure_behind_tls() -> None:
    response = talk(lambda client: client.get("/healthz"), base="https://arena.test")
    assert "Secure" in [word.strip() for word in cookie_of(response).split(";")]


def test_a_valid_cookie_is_kept() -> None:
    async def twice(client: httpx.AsyncClient) -> tuple[httpx.Response, httpx.Response]:
        return await client.get("/healthz"), await client.get("/healthz")

    first, second = talk(twice)
    assert first.json()["visitor"] == second.json()["visitor"]
    assert "set-cookie" not in second.headers


def test_two_browsers_are_two_visitors() -> None:
    assert ask("GET", "/healthz").json()["visitor"] != ask("GET", "/healthz").json()["visitor"]


def signed(secret: str = "s3cret") -> str:
    return talk(lambda client: client.get("/healthz"), app=build_app(secret)).cookies[COOKIE]


def flip_last(value: str) -> str:
    return value[:-2] + ("AA" if value[-2:] != "AA" else "BB")


FORGED: dict[str, Callable[[], str]] = {
    "no signature": lambda: "a" * 32,
    "empty": lambda: "",
    "made up signature": lambda: "a" * 32 + "." + "b" * 27,
    "another id with a stolen signature": lambda: "a" * 32 + signed()[32:],
    "changed signature": lambda: flip_last(signed()),
    "signed with another key": lambda: signed("another key"),
    "no ASCII": lambda: "caf\u00e9.\u00e9",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_cookie_is_replaced(name: str) -> None:
    forged = FORGED[name]()
    response = ask("GET", "/healthz", headers={"cookie": f"{COOKIE}={forged}".encode()})
    visitor = response.json()["visitor"]
    assert re.fullmatch("[0-9a-f]{32}", visitor)
    assert visitor != forged[:32]
    assert cookie_of(response).startswith(f"{COOKIE}={visitor}.")


def test_a_visitor_that_the_client_names_in_a_header_is_ignored() -> None:
    response = ask("GET", "/healthz", headers={"visitor": "a" * 32, "x-visitor": "a" * 32})
    assert response.json()["visitor"] != "a" * 32


class Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.nonces: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.nonces.append(dict(attrs).get("nonce"))


def test_the_page_carries_the_nonce_of_its_policy_on_every_script() -> None:
    response = ask("GET", "/")
    policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
    [nonce] = re.findall(r"'nonce-([\w-]+)'", policy["script-src"])
    scripts = Scripts()
    scripts.feed(response.text)
    assert scripts.nonces == [nonce, nonce]
    assert "'unsafe-inline'" not in policy["script-src"]
    assert (policy["default-src"], policy["object-src"], policy["form-action"]) == ("'self'", "'none'", "'self'")
    assert policy["img-src"] == "'self' data: blob:"
    assert int(response.headers["content-length"]) == len(response.content)
    assert re.sub(r' nonce="[^"]*"', "", response.text) == PAGE


def test_every_page_has_a_nonce_of_its_own_and_is_not_kept() -> None:
    first, second = ask("GET", "/"), ask("GET", "/")
    assert first.headers["content-security-policy"] != second.headers["content-security-policy"]
    assert first.headers["cache-control"] == "no-store"


def test_a_page_in_pieces_gets_its_nonce_although_a_script_tag_is_cut() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in (b"<scr", b"ipt>x</script>"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    response = talk(lambda client: client.get("/"), app=Policy(app))
    assert re.fullmatch(r'<script nonce="[\w-]+">x</script>', response.text)


def test_a_head_request_has_the_headers_and_no_body() -> None:
    response = ask("HEAD", "/")
    assert response.content == b""
    assert "nonce-" in response.headers["content-security-policy"]


def test_every_answer_of_the_app_is_hardened() -> None:
    for method, path in OPEN:
        headers = ask(method, path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_a_stream_is_passed_on_as_it_comes() -> None:
    """Gate, Policy and Visitors hand on each piece before the next is written."""
    log: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for n in range(3):
            log.append(f"wrote {n}")
            await send({"type": "http.response.body", "body": b"x", "more_body": n < 2})

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            log.append("arrived")

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    scope = {"type": "http", "method": "GET", "path": "/gradio_api/queue/data", "headers": [], "scheme": "http"}
    asyncio.run(Gate(Policy(Visitors(app, secret="s")))(scope, receive, send))
    assert log == ["wrote 0", "arrived", "wrote 1", "arrived", "wrote 2", "arrived"]


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "data" / "arena.key"
    secret = read_secret(file)
    assert len(secret) == 64
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_secret(file) == secret
    assert read_secret(tmp_path / "other.key") != secret


@pytest.mark.parametrize("other", ['x={"a":1}', "a b=1", "x[1]=2", "=", "x"])
def test_odd_cookies_of_other_programs_do_not_lose_the_visitor(other: str) -> None:
    cookie = ask("GET", "/healthz").headers["set-cookie"].split(";")[0]
    response = ask("GET", "/healthz", headers={"cookie": f"{other}; {cookie}"})
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("broken", ["", "short"])
def test_a_key_file_that_was_left_broken_is_made_anew(tmp_path: Path, broken: str) -> None:
    (tmp_path / "arena.key").write_text(broken)
    secret = read_secret(tmp_path / "arena.key")
    assert len(secret) == 64
    assert read_secret(tmp_path / "arena.key") == secret
    assert stat.S_IMODE((tmp_path / "arena.key").stat().st_mode) == 0o600
