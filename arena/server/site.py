"""Where the page stands for its visitors' browsers: below which path, behind which proxies, in whose frames.

What a request says of itself is believed only where it must be. The address of a visitor, which has limits, and whether
the connection was encrypted, which a cookie depends on, are taken from X-Forwarded-For and -Proto only when the peer is
a proxy that was named. Nothing depends on the host: Gradio writes the address of its own server into the page, where it
believes half a dozen headers of anybody; it is given always the same one, and the page gets a path in its place. So
the page works under any name, behind any proxy, and no visitor's headers come into another one's page.
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
HOST = b"arena.invalid"  # a name that nothing has (RFC 6761)
FOR, PROTO = b"x-forwarded-for", b"x-forwarded-proto"


class SiteError(ValueError):
    """A path, a proxy or a frame that cannot be: says which, and how it is written."""


@dataclass(frozen=True)
class Site:
    """root_path: "" or as "/arena"; proxies: addresses and networks; ancestors: as "https://a.example"."""

    root_path: str = ""
    proxies: tuple[str, ...] = ()
    ancestors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check all three, which come from a command line and go into headers.

        Raises:
            SiteError: for the first that cannot be.
        """
        if not ROOT.fullmatch(self.root_path):
            raise SiteError(f"{self.root_path!r} is no path to stand below: write it as /arena")
        for proxy in self.proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError:
                raise SiteError(f"{proxy!r} is no address of a proxy: write 127.0.0.1 or 10.0.0.0/8") from None
        for ancestor in self.ancestors:
            if not ANCESTOR.fullmatch(ancestor):
                raise SiteError(f"{ancestor!r} is no site that frames the page: write it as https://blog.example")

    def is_proxy(self, address: str) -> bool:
        """Say whether an address is that of a named proxy."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in ipaddress.ip_network(proxy) for proxy in self.proxies)


PLAIN = Site()
"""At the root, behind nothing, in nobody else's frames."""


def unmapped(address: str) -> str:
    """Return an IPv4 address that came over an IPv6 socket (::ffff:192.0.2.1) as what it is."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or address)


class Origin:
    """Settle scheme, host, visitor's address and path of a request before anything looks at them."""

    def __init__(self, app: ASGIApp, *, site: Site) -> None:
        self.app = ProxyHeadersMiddleware(app, list(site.proxies))  # type: ignore[arg-type]
        self.site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its path below the root path, whether the proxy has cut that off or not."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)  # type: ignore[arg-type]
            return
        root, path = self.site.root_path, str(scope["path"])
        if root and path == root and scope["method"] in ("GET", "HEAD"):
            await RedirectResponse(root + "/", status_code=308)(scope, receive, send)  # what the page loads lies below
            return
        path = path.removeprefix(root) if path.startswith(root + "/") else path
        client = scope.get("client") or ("", 0)
        client = (unmapped(client[0]), client[1])
        headers = _believed(scope["headers"], is_proxied=self.site.is_proxy(client[0]))
        settled = {
            **scope,
            "path": path,
            "raw_path": quote(path).encode(),
            "root_path": "",
            "headers": headers,
            "client": client,
        }
        await self.app(settled, receive, send)  # type: ignore[arg-type]


def _believed(headers: Iterable[tuple[bytes, bytes]], *, is_proxied: bool) -> list[tuple[bytes, bytes]]:
    kept = [
        (name, value)
        for name, value in headers
        if name not in (b"host", b"forwarded", b"x-gradio-server")
        and not name.startswith((b"x-forwarded-", b"x-real-"))
    ]
    if is_proxied:
        kept += [(name, value) for name, value in headers if name in (FOR, PROTO)]
    return [*kept, (b"host", HOST)]
