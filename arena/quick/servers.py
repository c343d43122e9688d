"""Ask an address which models it serves, and whose server it is.

Every server of OpenAI's API lists its models at /v1/models. vLLM and llama.cpp sign that list (owned_by); Ollama has an
address of its own for its version. What comes back is hostile until it has been looked at: it may be a web page,
endless, or full of names that are none.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
from pydantic import TypeAdapter, ValidationError

from arena.contestants import Dialect, HttpUrl

SECONDS = 10.0  # for one answer
MOST_BYTES = 4 * 1024 * 1024
MOST_NAME = 200  # characters of a model's name
SIGNED: dict[str, Dialect] = {"vllm": "vllm", "llamacpp": "llamacpp"}


class ServerError(ValueError):
    """An address that cannot be used: one line with the address, what is wrong, and what to do."""


@dataclass(frozen=True)
class Server:
    """An address, whose server it is, and the names of its models in the order of its list."""

    address: str
    dialect: Dialect
    models: tuple[str, ...]


def read_address(text: str) -> str:
    """Return the address of an API as written in models.yaml; http:// and /v1 may be left out.

    Raises:
        ServerError: it is no address.
    """
    whole = text if "://" in text else f"http://{text}"
    try:
        address = TypeAdapter(HttpUrl).validate_python(whole)
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ServerError(f"no address of a server: {why}") from None  # it may hold a password, so it is not repeated
    return address if urlsplit(address).path else f"{address}/v1"


def ask_server(address: str, key: str = "", transport: httpx2.AsyncBaseTransport | None = None) -> Server:
    """Return what an address serves; the key goes there as a bearer token.

    Raises:
        ServerError: it is down, wants another key, answers something else than a list of models, or lists none.
    """
    return asyncio.run(_ask(address, key, transport))


async def _ask(address: str, key: str, transport: httpx2.AsyncBaseTransport | None) -> Server:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx2.AsyncClient(
        headers=headers, timeout=SECONDS, transport=transport, trust_env=not _is_near(address)
    ) as client:
        rows = _rows(address, await _get(client, f"{address}/models", address))
        models = tuple(dict.fromkeys(row["id"] for row in rows))
        if not models:
            raise ServerError(f"{address} lists no model: load one there")
        owners = {SIGNED[owner] for row in rows if isinstance(owner := row.get("owned_by"), str) and owner in SIGNED}
        is_one = len(owners) == 1
        dialect = owners.pop() if is_one else "ollama" if await _is_ollama(client, address) else "openai"
    return Server(address, dialect, models)


def _rows(address: str, tree: Any) -> list[Mapping[str, Any]]:
    rows = tree.get("data") if isinstance(tree, dict) else None
    if not isinstance(rows, list):
        raise ServerError(f"{address}/models is no list of models: give the address of an OpenAI-compatible API")
    return [row for row in rows if isinstance(row, dict) and _is_name(row.get("id"))]


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MOST_NAME and value.isprintable() and value == value.strip()


async def _is_ollama(client: httpx2.AsyncClient, address: str) -> bool:
    try:
        tree = await _get(client, f"{address.removesuffix('/v1')}/api/version", address)
    except ServerError:
        return False
    return isinstance(tree, dict) and isinstance(tree.get("version"), str)


async def _get(client: httpx2.AsyncClient, url: str, address: str) -> Any:
    """Return the JSON at a URL, in words of our own if there is none: httpx2's errors hold the request and its key."""
    part, kind = b"", ""
    try:
        async with asyncio.timeout(SECONDS), client.stream("GET", url) as response:
            if response.status_code in (401, 403):
                raise ServerError(f"{address} refuses the key (HTTP {response.status_code}): name it as --api-key-env")
            if response.status_code != 200:
                raise ServerError(f"{address} answers HTTP {response.status_code} for /models: correct the address")
            kind = response.headers.get("content-type", "")
            async for piece in response.aiter_bytes():
                part += piece
                if len(part) > MOST_BYTES:
                    raise TimeoutError
    except TimeoutError:
        problem = f"{address} does not come to an end with its list of models"
    except httpx2.HTTPError as error:
        problem = f"{address} does not answer ({type(error).__name__}): start the server, or correct the address"
    else:
        try:
            return json.loads(part)
        except (ValueError, RecursionError):
            what = "a web page" if "html" in kind else "something else than JSON"
            problem = f"{address} answers {what} for /models: give the address of an OpenAI-compatible API"
    raise ServerError(problem)


def _is_near(address: str) -> bool:
    """Return whether it is on this machine, so that no proxy leads there."""
    host = urlsplit(address).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
