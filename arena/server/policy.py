"""Security headers: what the browser may do with the page and with the server's answers.

Plain ASGI middleware, like the gate before it: Starlette's BaseHTTPMiddleware would delay streams.
"""

import re
import secrets
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.server.site import HOST, PLAIN, Site

OWN = ("same-origin", "none")  # values of Sec-Fetch-Site in requests of the page itself
FOR_OTHER_SITES = ("access-control-", "timing-allow-origin")


class Policy:
    """Add a content security policy with a fresh nonce to the page, and plain hardening headers to everything.

    Scripts of other sites may neither read nor send anything. Gradio would let some of them read answers with the
    visitor's cookie, so its headers for that are removed.
    """

    def __init__(
        self, app: ASGIApp, *, site: Site = PLAIN, rewrite: Callable[[bytes], bytes] = lambda page: page
    ) -> None:
        """Take rewrite, which changes the page's HTML before its scripts get their nonce."""
        self.app = app
        self.site = site
        self.rewrite = rewrite

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; the page itself is rewritten and its scripts get the nonce before it is sent."""
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
            # "/." equals "/", but with a path appended it does not become "//host".
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
    """Return the page's policy; ancestors may frame it. Gradio needs eval and inline styles, but nothing remote."""
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
        headers["x-accel-buffering"] = "no"  # or nginx would buffer the stream of a reply
    for name in [name for name in headers if name.startswith(FOR_OTHER_SITES)]:
        del headers[name]
