"""Visitors' cookies: random, signed, kept; and the key that signs them."""

import re
import stat
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from arena.server.visitors import COOKIE, read_secret
from tests.arena.helpers.talking import ask, build_app, talk


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
