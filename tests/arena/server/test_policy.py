"""The server around the page: what the browser may do, and who is asking."""

import asyncio
import re
import stat
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest

from arena.server.gate import Gate
from arena.server.policy import Policy
from arena.server.sessions import Sessions
from arena.server.visitors import COOKIE, Visitors, read_secret
from tests.arena.helpers.talking import PAGE, ask, build_app, talk


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


def test_a_proxy_is_told_to_pass_a_stream_on_as_it_comes() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")] if scope["path"] == "/stream" else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def buffering(path: str) -> str | None:
        answer: httpx.Response = talk(lambda client: client.get(path), app=Policy(app))
        return answer.headers.get("x-accel-buffering")

    assert (buffering("/stream"), buffering("/other")) == ("no", None)
