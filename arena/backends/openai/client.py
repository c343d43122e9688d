"""One endpoint over HTTP: a request goes out, checked events come back, and every error is in words of our own.

httpx2 streams and parses the events. Retries, deadlines and what a reply means are not here. httpx2's exceptions hold
the request with its headers, so none of them leaves this file, not even as the context of ours.
"""

import ipaddress
import json
from collections.abc import AsyncGenerator, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import httpx2

from arena.backends.base import BackendError
from arena.backends.openai.chunks import DONE, Chunk, read_chunk
from arena.backends.openai.keys import Keys
from arena.backends.openai.outcomes import Unavailable, context_exceeded, error_of, judge

CONNECT_SECONDS = 5.0
ASK_SECONDS = 2.0  # for a question beside the replies
MOST_EVENT_BYTES = 256 * 1024
MOST_STREAM_BYTES = 64 * 1024 * 1024
MOST_ERROR_BYTES = 16 * 1024
MOST_ANSWER_BYTES = 4 * 1024 * 1024
STREAM = "text/event-stream"
KINDS = {"text/html": "a web page", "application/json": "JSON at once", "text/plain": "plain text"}


class Endpoint:
    """One address; model is for the words of its errors."""

    def __init__(
        self, address: str, *, model: str, keys: Keys, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self.address, self._model, self._keys = address, model, keys
        # A kept connection saves a handshake of TLS. Without TLS it saves next to nothing, and costs a failed request
        # whenever the server has closed it in the same moment.
        has_tls, is_here = address.startswith("https:"), _is_loopback(address)
        self._client = httpx2.AsyncClient(
            auth=self._keys,
            headers={"Accept-Encoding": "identity"},  # a compressed stream could unfold to any size
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # takes none
            timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),  # reading has deadlines of its own
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20 if has_tls else 0),
            transport=transport,
            trust_env=not is_here,  # proxies are for what is elsewhere
            verify=has_tls or not is_here,  # without TLS and proxies, loading certificates is lost time
        )

    def __repr__(self) -> str:
        """Return the address alone."""
        return f"Endpoint({self.address!r})"

    async def stream(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Chunk, None]:
        """Yield the events of a reply; close it early to hang up.

        Raises:
            Unavailable: the endpoint cannot be reached, or asks to come back later.
            ContextExceeded: it says that the prompt does not fit.
            BackendError: it refuses, or sends something else than the API's events.
        """
        try:
            async with self._client.sse(
                f"{self.address}/{path}", method="POST", json=body, max_event_size=MOST_EVENT_BYTES
            ) as events:
                response = events.response
                if response.status_code != 200:
                    raise await self._judge(response)
                _require_stream(response)
                async for event in events:
                    if response.num_bytes_downloaded > MOST_STREAM_BYTES:
                        raise BackendError(f"sent more than {MOST_STREAM_BYTES:,} bytes for one reply")
                    if event.data.strip() == DONE:
                        return
                    yield _read(event.data)
            return
        except httpx2.HTTPError as error:
            problem = _explain(error)
        raise problem  # here, where the error of httpx2 is not its context

    async def ask(self, url: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON that an address answers, asked with a body or without.

        Raises:
            BackendError: it does not answer so.
        """
        try:
            request = self._client.build_request("GET" if body is None else "POST", url, json=body, timeout=ASK_SECONDS)
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code == 200:
                    return json.loads(await _read_part(response, MOST_ANSWER_BYTES))
            finally:
                await response.aclose()
        except (httpx2.HTTPError, ValueError, RecursionError):
            pass
        raise BackendError(f"answers no JSON at {url}")

    async def close(self) -> None:
        """Close what connections are kept."""
        await self._client.aclose()

    async def _judge(self, response: httpx2.Response) -> Exception:
        body = await _read_part(response, MOST_ERROR_BYTES)
        return judge(
            response.status_code,
            response.headers,
            body,
            model=self._model,
            keys=self._keys,
        )


def _read(data: str) -> Chunk:
    chunk = read_chunk(data)
    if chunk.error is not None:
        told = context_exceeded(error_of(chunk.error))
        raise told or BackendError("sent an error in the place of the reply's next part")
    return chunk


def _require_stream(response: httpx2.Response) -> None:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != STREAM:
        raise BackendError(
            f"answered with {KINDS.get(kind, 'something else')}, not with a stream of events: see base_url"
        )
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise BackendError("sends a compressed stream, which was not asked for")
    response.encoding = "utf-8"  # as events are, whatever the header says; what is no UTF-8 becomes U+FFFD


async def _read_part(response: httpx2.Response, most: int) -> str:
    part = b""
    async for piece in response.aiter_raw():
        part += piece
        if len(part) > most:
            break
    return part[:most].decode("utf-8", "replace")


def _explain(error: httpx2.HTTPError) -> BackendError:
    """Return an error of httpx2 in words of our own, and with its type's name."""
    name = type(error).__name__
    match error:
        case httpx2.SSEError():
            return BackendError(f"sent an event of more than {MOST_EVENT_BYTES:,} bytes")
        case httpx2.ConnectTimeout():
            return Unavailable(f"does not answer ({name})")
        case httpx2.ConnectError():
            return Unavailable(f"refuses connections, or is not there ({name})")
        case httpx2.TransportError():
            return Unavailable(f"broke off ({name})")
    return BackendError(f"does not speak HTTP as it should ({name})")


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
