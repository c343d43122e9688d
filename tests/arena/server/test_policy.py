"""The server around the page: what the browser may do with it."""

import asyncio
import re
from html.parser import HTMLParser
from typing import Any

import httpx

from arena.server.gate import Gate
from arena.server.policy import Policy
from arena.server.sessions import Sessions
from arena.server.visitors import Visitors
from tests.arena.helpers.talking import PAGE, ask, talk


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
    for method, path in [("GET", "/"), ("HEAD", "/"), ("GET", "/healthz"), ("GET", "/assets/x.js")]:
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

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/theme.css", "scheme": "http"}
    scope |= {"headers": [], "query_string": b""}
    asyncio.run(Gate(Policy(Visitors(Sessions(app), secret="s")), events={})(scope, receive, send))
    assert log == ["wrote 0", "arrived", "wrote 1", "arrived", "wrote 2", "arrived"]


def test_a_proxy_is_asked_to_pass_a_stream_on_as_it_comes() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")] if scope["path"] == "/stream" else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def buffering(path: str) -> str | None:
        answer: httpx.Response = talk(lambda client: client.get(path), app=Policy(app))
        return answer.headers.get("x-accel-buffering")

    assert (buffering("/stream"), buffering("/other")) == ("no", None)
