"""Visitors: a random id in a signed cookie, and the key that signs it."""

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
KEY_LENGTH = 64  # 256 bits in hexadecimal
KEY = re.compile(rf"[0-9a-f]{{{KEY_LENGTH}}}")


class Visitors:
    """Give every browser a random id in a signed cookie, readable in handlers as request.state.visitor.

    The id survives a reload and cannot be forged; it is random, without an address or fingerprint.
    """

    def __init__(self, app: ASGIApp, *, secret: str, site: Site = PLAIN) -> None:
        self.app = app
        self.site = site
        self.signer = Signer(secret, salt="arena visitor")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the cookie, or set a new one."""
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
        # An arena on a path above this one has a cookie of the same name, which the browser sends too.
        for part in header.split(";"):
            # Starlette's parser tolerates invalid cookies of other programs on the same host.
            value = cookie_parser(part).get(COOKIE)
            with contextlib.suppress(BadSignature, UnicodeError):
                if value:
                    return self.signer.unsign(value).decode()
        return None

    def _write(self, visitor: str, scheme: str) -> str:
        value = self.signer.sign(visitor).decode()
        is_secure = scheme == "https"
        # In another site's frame browsers keep a cookie only with these attributes, separately per site (CHIPS).
        reach = "SameSite=None; Partitioned" if is_secure and self.site.ancestors else "SameSite=Lax"
        secure = "; Secure" if is_secure else ""
        path = self.site.root_path or "/"
        return f"{COOKIE}={value}; Max-Age={COOKIE_SECONDS}; Path={path}; HttpOnly; {reach}{secure}"


class SecretError(Exception):
    """A key file that cannot be used: which file, and what to do."""


def read_secret(path: Path) -> str:
    """Return the key that signs visitor cookies, created on first use and readable by its owner alone.

    Raises:
        SecretError: it cannot be read or created, or the file holds something else.
    """
    try:
        text = path.read_text(encoding="ascii").strip() if path.exists() else ""
        if KEY.fullmatch(text):
            return text
        if len(text) >= KEY_LENGTH:
            raise SecretError(f"{path} is not a key of an arena: move it away, and a new one is created")
        return _make_secret(path)
    except UnicodeError:
        raise SecretError(f"{path} is not a key of an arena: move it away, and a new one is created") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise SecretError(f"{path}, the key of the visitors' cookies, cannot be read or created: {why}") from None


def _make_secret(path: Path) -> str:
    # Written under a temporary name and renamed: with an empty key anybody could sign cookies.
    key = secrets.token_hex(KEY_LENGTH // 2)
    write_file(path, key, mode=0o600)
    return key
