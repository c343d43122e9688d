"""Who is asking: a random id in a signed cookie, and the key that signs it."""

import contextlib
import re
import secrets
from pathlib import Path
from typing import Any

from itsdangerous import BadSignature, Signer
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.server.site import PLAIN, Site
from common.files import write_file

COOKIE = "visitor"
COOKIE_SECONDS = 365 * 24 * 3600
KEY_LETTERS = 64  # 256 bits in hexadecimal
KEY = re.compile(rf"[0-9a-f]{{{KEY_LETTERS}}}")


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
    key = secrets.token_hex(KEY_LETTERS // 2)
    write_file(path, key, mode=0o600)
    return key
