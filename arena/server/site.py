"""Where the page is served: under which path, behind which proxies, in frames of which sites.

Headers of a request are trusted only where necessary. The visitor's address, which limits depend on, and whether the
connection was encrypted, which the cookie depends on, are taken from X-Forwarded-For and -Proto only if the peer is a
configured proxy. Nothing depends on the host: Gradio writes its server's address into the page, by half a dozen headers
that anybody could send; it always gets the same host, which is then replaced by a path. So the page works under any
name, behind any proxy, and no visitor's headers get into another visitor's page.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

ROOT = re.compile(r"(?:/(?!\.\.?(?:/|$))[\w.~-]+)*", re.ASCII)
ANCESTOR = re.compile(r"https?://(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
HOST = b"arena.invalid"  # reserved: no host has this name (RFC 6761)
FOR, PROTO = b"x-forwarded-for", b"x-forwarded-proto"


class SiteError(ValueError):
    """An invalid root path, proxy or frame ancestor, and its proper form."""


@dataclass(frozen=True)
class Site:
    """root_path: "" or such as "/arena"; proxies: addresses and networks; ancestors: such as "https://a.example"."""

    root_path: str = ""
    proxies: tuple[str, ...] = ()
    ancestors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check all three, which come from the command line and go into headers.

        Raises:
            SiteError: for the first invalid one.
        """
        if not ROOT.fullmatch(self.root_path):
            raise SiteError(f"{self.root_path!r} is not a root path: write it like /arena")
        for proxy in self.proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError:
                raise SiteError(f"{proxy!r} is not a proxy's address: write it like 127.0.0.1 or 10.0.0.0/8") from None
        for ancestor in self.ancestors:
            if not ANCESTOR.fullmatch(ancestor):
                raise SiteError(f"{ancestor!r} is not a frame ancestor: write it like https://blog.example")

    def is_proxy(self, address: str) -> bool:
        """Return whether an address is that of a configured proxy."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in ipaddress.ip_network(proxy) for proxy in self.proxies)


PLAIN = Site()
"""At the root, without a proxy, in no other site's frames."""


def unmapped(address: str) -> str:
    """Return an address; an IPv4 address from an IPv6 socket (::ffff:192.0.2.1) in its IPv4 form."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or address)


class Origin:
    """Set scheme, host, visitor's address and path of a request before the other middleware."""

    def __init__(self, app: ASGIApp, *, site: Site) -> None:
        self.app = ProxyHeadersMiddleware(app, list(site.proxies))  # type: ignore[arg-type]
        self.site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on without the root path in its path, whether or not the proxy has removed it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)  # type: ignore[arg-type]
            return
        root, path = self.site.root_path, str(scope["path"])
        if root and path == root and scope["method"] in ("GET", "HEAD"):
            await RedirectResponse(root + "/", status_code=308)(
                scope, receive, send
            )  # the page's links are relative to it
            return
        path = path.removeprefix(root) if path.startswith(root + "/") else path
        client = scope.get("client") or ("", 0)
        client = (unmapped(client[0]), client[1])
        headers = _trusted(scope["headers"], is_proxied=self.site.is_proxy(client[0]))
        settled = {
            **scope,
            "path": path,
            "raw_path": quote(path).encode(),
            "root_path": "",
            "headers": headers,
            "client": client,
        }
        await self.app(settled, receive, send)  # type: ignore[arg-type]


def _trusted(headers: Iterable[tuple[bytes, bytes]], *, is_proxied: bool) -> list[tuple[bytes, bytes]]:
    kept = [
        (name, value)
        for name, value in headers
        if name not in (b"host", b"forwarded", b"x-gradio-server")
        and not name.startswith((b"x-forwarded-", b"x-real-"))
    ]
    if is_proxied:
        kept += [(name, value) for name, value in headers if name in (FOR, PROTO)]
    return [*kept, (b"host", HOST)]
