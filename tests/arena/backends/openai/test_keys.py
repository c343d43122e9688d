"""Keys are read by the names of their environment variables, and go out with every request."""

from typing import Any

import pytest

from arena.backends.openai.keys import read_keys
from tests.arena.backends.openai.scripts import KEY, WELL, answer_to, contestant, run

ADDRESS = "http://127.0.0.1:9/v1"


def test_keys_go_out_as_bearer_or_in_the_header_that_is_named() -> None:
    environment = {"ONE": f" {KEY}\n", "TWO": "birch"}
    fields: dict[str, Any] = {"api_key_env": "ONE", "headers_env": {"X-Tree": "TWO"}, "environment": environment}
    _, _, server = run(answer_to(WELL, **fields))
    headers = server.asked[0].headers
    assert (headers["authorization"], headers["x-tree"]) == (f"Bearer {KEY}", "birch")


@pytest.mark.parametrize("value", ["", "  ", "sk-\n1", "sk-\x00", "clé", "sk-\u200b1"])
def test_a_key_that_no_header_can_hold_is_refused_by_its_name_alone(value: str) -> None:
    keys, failure = read_keys(contestant(ADDRESS, api_key_env="ONE"), {"ONE": value})
    assert "the environment variable ONE " in failure
    assert value.strip() not in failure or not value.strip()
    assert not keys.names


def test_without_names_no_key_is_sent() -> None:
    keys, failure = read_keys(contestant(ADDRESS), {"OPENAI_API_KEY": KEY})
    assert (keys.names, failure) == ("", "")
    assert not keys.hold(KEY)


def test_the_variables_are_named_but_never_what_they_hold() -> None:
    fields: dict[str, Any] = {"api_key_env": "ONE", "headers_env": {"X-Tree": "TWO"}}
    keys, failure = read_keys(contestant(ADDRESS, **fields), {"ONE": KEY, "TWO": f"{KEY}-2"})
    assert not failure
    assert set(keys.names.split(" and ")) == {"ONE", "TWO"}
    assert keys.hold(KEY.lower())
    assert KEY not in repr(keys) + str(keys)
