"""The server around the page: what the browser may do, and who is asking.

Both are plain ASGI middleware, as the gate before them is: Starlette's BaseHTTPMiddleware would hold back streams.
"""

import contextlib
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from itsdangerous import BadSignature, Signer
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.server.site import HOST, PLAIN, Site

COOKIE = "visitor"
KEY_LETTERS = 64  # 256 bits in hexadecimal
KEY = re.compile(rf"[0-9a-f]{{{KEY_LETTERS}}}")
OWN = ("same-origin", "none")  # what a browser says of a request of the page itself (Sec-Fetch-Site)
FOR_OTHER_SITES = ("access-control-", "timing-allow-origin")
COOKIE_SECONDS = 365 * 24 * 3600


class Policy:
    """Add a content security policy with a fresh nonce to the page, and plain hardening headers to everything.

    What other sites' scripts may read or send is settled here too: nothing. Gradio would let pages of this machine and
    of others read answers with the visitor's cookie, so its headers for that are taken off.
    """

    def __init__(
        self, app: ASGIApp, *, site: Site = PLAIN, rewrite: Callable[[bytes], bytes] = lambda page: page
    ) -> None:
        """Take what turns the page's HTML into the one that is sent, before its scripts get their nonce."""
        self.app = app
        self.site = site
        self.rewrite = rewrite

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; the page itself is held back until it is rewritten and its scripts carry the nonce."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["method"] == "POST" and Headers(scope=scope).get("sec-fetch-site", "none") not in OWN:
            await PlainTextResponse("this comes from another site", status_code=403)(scope, receive, send)
        elif scope["path"] == "/":
            await self._serve_page(scope, receive, send)
        else:

            async def with_headers(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _harden(MutableHeaders(scope=message))
                await send(message)

            await self.app(scope, receive, with_headers)

    async def _serve_page(self, scope: Scope, receive: Receive, send: Send) -> None:
        nonce = secrets.token_urlsafe(16)
        # The nonce is written into the page, so the page must not come compressed.
        plain = [(key, value) for key, value in scope["headers"] if key != b"accept-encoding"]
        start: Message = {}
        page = b""

        async def hold(message: Message) -> None:
            nonlocal start, page
            if message["type"] == "http.response.start":
                start = message
                return
            page += message.get("body", b"")
            if message.get("more_body"):
                return
            page = self.rewrite(page)
            page = re.sub(rb"<script\b", b'<script nonce="' + nonce.encode() + b'"', page)
            # "/." is "/", also where a path that begins with a slash is put behind it.
            page = re.sub(rb"https?://" + re.escape(HOST), (self.site.root_path or "/.").encode(), page)
            headers = MutableHeaders(scope=start)
            headers["content-length"] = str(len(page))
            headers["content-security-policy"] = content_security_policy(nonce, self.site.ancestors)
            headers["cache-control"] = "no-store"
            _harden(headers)
            await send(start)
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else page})

        await self.app({**scope, "headers": plain}, receive, hold)


def content_security_policy(nonce: str, ancestors: tuple[str, ...] = ()) -> str:
    """Return the policy of the page, which ancestors may frame. Gradio needs eval and inline styles; nothing remote."""
    return "; ".join(
        [
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            " ".join(["frame-ancestors 'self'", *ancestors]),
        ]
    )


def _harden(headers: MutableHeaders) -> None:
    headers["x-content-type-options"] = "nosniff"
    headers["referrer-policy"] = "no-referrer"
    headers["cross-origin-resource-policy"] = "same-origin"
    if headers.get("content-type", "").startswith("text/event-stream"):
        headers["x-accel-buffering"] = "no"  # nginx would gather the words of a reply
    for name in [name for name in headers if name.startswith(FOR_OTHER_SITES)]:
        del headers[name]


class Visitors:
    """Give every browser a random id in a signed cookie, readable in handlers as request.state.visitor.

    The id survives a reload and cannot be forged, and it is nothing but random: no address, no fingerprint.
    """

    def __init__(self, app: ASGIApp, *, secret: str, site: Site = PLAIN) -> None:
        self.app = app
        self.site = site
        self.signer = Signer(secret, salt="arena visitor")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the cookie or mint one."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        visitor = self._read(Headers(scope=scope).get("cookie", ""))
        is_new = visitor is None
        visitor = visitor or secrets.token_hex(16)
        state: dict[str, Any] = scope.setdefault("state", {})
        state["visitor"], state["is_new"] = visitor, is_new

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and is_new:
                MutableHeaders(scope=message).append("set-cookie", self._write(visitor, scope["scheme"]))
            await send(message)

        await self.app(scope, receive, with_cookie)

    def _read(self, header: str) -> str | None:
        # Another arena on this host, on a path above this one, has a cookie of the same name that comes along.
        for part in header.split(";"):
            # Starlette's parser reads past odd cookies that other programs on the same host have set.
            value = cookie_parser(part).get(COOKIE)
            with contextlib.suppress(BadSignature, UnicodeError):
                if value:
                    return self.signer.unsign(value).decode()
        return None

    def _write(self, visitor: str, scheme: str) -> str:
        value = self.signer.sign(visitor).decode()
        is_secure = scheme == "https"
        # A browser keeps a cookie in another site's frame only so, and apart for each site (CHIPS).
        reach = "SameSite=None; Partitioned" if is_secure and self.site.ancestors else "SameSite=Lax"
        secure = "; Secure" if is_secure else ""
        path = self.site.root_path or "/"
        return f"{COOKIE}={value}; Max-Age={COOKIE_SECONDS}; Path={path}; HttpOnly; {reach}{secure}"


class SecretError(Exception):
    """A key file that cannot be used: says which and what to do."""


def read_secret(path: Path) -> str:
    """Return the key that signs visitor cookies, made on first use and readable by its owner alone.

    Raises:
        SecretError: it cannot be read or made, or it holds something else.
    """
    try:
        found = path.read_text(encoding="ascii").strip() if path.exists() else ""
        if KEY.fullmatch(found):
            return found
        if len(found) >= KEY_LETTERS:
            raise SecretError(f"{path} holds no key of an arena: move it away, and a new one is made")
        return _make_secret(path)
    except UnicodeError:
        raise SecretError(f"{path} holds no key of an arena: move it away, and a new one is made") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise SecretError(f"{path}, the key of the visitors' cookies, cannot be read or made: {why}") from None


def _make_secret(path: Path) -> str:
    # Written aside and moved in: a key that a killed process left empty would sign for everybody.
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".new")
    aside.unlink(missing_ok=True)
    aside.touch(mode=0o600)
    aside.write_text(secrets.token_hex(KEY_LETTERS // 2), encoding="ascii")
    aside.replace(path)
    return path.read_text(encoding="ascii").strip()
