"""What an address serves is found out, whatever it says."""

import itertools
import socket
import traceback
from collections.abc import Iterator

import pytest

from arena.quick import servers
from arena.quick.servers import Server, ServerError, ask_server, read_address
from tests.arena.quick.scripted import Said, listed, say, saying

KEY = "sk-Birch7Tree-0000"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("localhost:11434/", "http://localhost:11434/v1"),
        ("http://[::1]:8000/v1/", "http://[::1]:8000/v1"),
        ("https://models.example/api/v1", "https://models.example/api/v1"),
    ],
)
def test_an_address_may_leave_out_its_scheme_and_version(given: str, read: str) -> None:
    assert read_address(given) == read


@pytest.mark.parametrize(
    "given", ["", "ftp://x", "http://", "http://x:99999", "http://anna:Birch7@x", "http://x?key=Birch7"]
)
def test_what_is_no_address_is_refused_without_its_secrets(given: str) -> None:
    with pytest.raises(ServerError, match=r"^no address of a server: write ") as refusal:
        read_address(given)
    assert "Birch7" not in "".join(traceback.format_exception(refusal.value))


@pytest.mark.parametrize(
    ("paths", "dialect"),
    [
        (listed("a", "b", owner="vllm"), "vllm"),
        (listed("a", "b", owner="llamacpp"), "llamacpp"),
        (listed("a", "b", owner="library") | {"/api/version": say({"version": "0.12.6"})}, "ollama"),
        (listed("a", "b", owner="library") | {"/api/version": (200, "text/html", b"<html>")}, "openai"),
        (listed("a", "b"), "openai"),
    ],
)
def test_the_dialect_is_told_by_what_the_server_says(paths: dict[str, Said], dialect: str) -> None:
    with saying(paths) as root:
        assert ask_server(f"{root}/v1") == Server(f"{root}/v1", dialect, ("a", "b"))


def test_a_real_llamacpp_is_known(llamacpp: str) -> None:
    assert ask_server(llamacpp) == Server(llamacpp, "llamacpp", ("smollm2",))


def test_names_that_are_none_and_repeated_ones_are_passed_over() -> None:
    rows = [{"id": i} for i in ("a", "a", 3, None, "", "x" * 201, "b\nc", " d", "\x1b[31m")] + ["e", None]
    with saying({"/v1/models": say({"data": rows})}) as root:
        assert ask_server(f"{root}/v1").models == ("a",)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ((200, "text/html", b"<html>Welcome</html>"), "answers a web page for /models"),
        ((200, "application/json", b'{"data": ['), "answers something else than JSON for /models"),
        ((200, "application/json", b"[" * 100_000), "answers something else than JSON for /models"),
        (say({"models": []}), "is no list of models"),
        (say([1]), "is no list of models"),
        (say({"data": []}), "lists no model: load one there"),
        (say({"error": KEY}, 500), "answers HTTP 500 for /models"),
        (say({"error": KEY}, 401), r"refuses the key \(HTTP 401\): name it as --api-key-env"),
        ((302, "text/html", b""), "answers HTTP 302"),
    ],
)
def test_a_server_that_says_something_else_is_refused_in_one_line(said: Said, told: str) -> None:
    with saying({"/v1/models": said}) as root, pytest.raises(ServerError, match=told) as refusal:
        ask_server(f"{root}/v1", KEY)
    line = str(refusal.value)
    assert line.startswith(f"{root}/v1")
    assert "\n" not in line
    assert KEY not in "".join(traceback.format_exception(refusal.value))


def test_a_server_that_is_down_is_refused_and_the_key_is_not_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    with pytest.raises(ServerError, match=r"does not answer \(ConnectError\): start the server") as refusal:
        ask_server(address, KEY)
    assert KEY not in "".join(traceback.format_exception(refusal.value))


def test_a_list_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def for_ever() -> Iterator[bytes]:
        yield from itertools.repeat(b" " * 65536)

    monkeypatch.setattr(servers, "MOST_BYTES", 10**6)
    with saying({"/v1/models": for_ever}) as root, pytest.raises(ServerError, match="does not come to an end"):
        ask_server(f"{root}/v1")


def test_the_key_goes_to_its_server_as_a_bearer_token() -> None:
    asked: list[tuple[str, dict[str, str]]] = []
    with saying(listed("a", owner="vllm"), asked) as root:
        ask_server(f"{root}/v1", KEY)
        ask_server(f"{root}/v1")
    assert [headers.get("Authorization") for _, headers in asked] == [f"Bearer {KEY}", None]
