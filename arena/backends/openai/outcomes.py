"""What the status and the error of an endpoint mean: ask another, shorten the prompt, or give up, and why.

The words are ours throughout. An endpoint's own words may hold anything, the key that it was sent included, so of them
only short codes pass, such as `unsupported_parameter`.
"""

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from arena.backends.base import BackendError
from arena.backends.openai.dialects import TOO_LONG
from arena.backends.openai.keys import Keys

LONGEST_RETRY_AFTER = 60.0  # seconds that are kept of what an endpoint asks for; then it is tried again
RETRIED = (408, 425, 429)
CODE = re.compile(r"[A-Za-z_]{3,48}")
NUMBERS = re.compile(r"(?:length|size|window)\D{0,24}(\d{1,9})", re.IGNORECASE)


class Unavailable(BackendError):
    """No token came, and another endpoint, or this one a little later, may write the reply."""

    def __init__(self, reason: str, *, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Silent(Unavailable):
    """An endpoint that is there, but has sent no token for too long."""


class ContextExceeded(Exception):
    """The prompt does not fit, says the endpoint; context and used are tokens, 0 where it does not say how many."""

    def __init__(self, context: int = 0, used: int = 0) -> None:
        super().__init__("the prompt does not fit the endpoint's context")
        self.context, self.used = context, used


def judge(status: int, headers: Mapping[str, str], body: str, *, model: str, keys: Keys) -> Exception:
    """Return what to raise for a response that is no stream."""
    error = read_error(body)
    if status in (400, 413, 422) and (exceeded := context_exceeded(error)):
        return exceeded
    if status in RETRIED or status >= 500:
        return Unavailable(f"answered HTTP {status}", retry_after=read_retry_after(headers.get("retry-after", "")))
    if status in (401, 403):
        cure = f"see {keys.names}" if keys.names else "it wants a key: name its environment variable as api_key_env"
        return BackendError(f"refused the key (HTTP {status}): {cure}")
    if status == 404:
        return BackendError(f"knows no model {model!r}, or has no API there (HTTP 404): see model and base_url")
    if 300 <= status < 400:
        return BackendError(f"sends elsewhere (HTTP {status}), which is not followed: write the final base_url")
    told = [error.get(key) for key in ("code", "type", "param")]
    codes = [word for word in told if isinstance(word, str) and CODE.fullmatch(word) and not keys.hold(word)]
    return BackendError(f"refused the request (HTTP {status}{''.join(f', {code}' for code in codes)})")


def read_error(body: str) -> dict[str, Any]:
    """Return the error object of a response, under its key or bare."""
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        return {"message": body}
    return error_of(tree.get("error", tree) if isinstance(tree, dict) else tree)


def error_of(error: object) -> dict[str, Any]:
    """Return an error as an object; some servers send its message alone."""
    return error if isinstance(error, dict) else {"message": str(error)}


def context_exceeded(error: Mapping[str, Any]) -> ContextExceeded | None:
    """Return what an error object says about the context, None if it is about something else."""
    message = str(error.get("message", ""))
    if not any(TOO_LONG.search(str(error.get(key, ""))) for key in ("message", "code", "type")):
        return None
    told = NUMBERS.search(message)
    context = _count(error.get("n_ctx")) or (int(told.group(1)) if told else 0)
    return ContextExceeded(context, _count(error.get("n_prompt_tokens")))


def read_retry_after(text: str, now: Callable[[], float] = time.time) -> float:
    """Return the seconds of a Retry-After header, given as seconds or as a date; 0 if it cannot be read."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now()
        except (ValueError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER) if math.isfinite(seconds) else 0.0


def _count(value: object) -> int:
    return value if type(value) is int and 0 < value < 2**31 else 0  # true is no count
