"""The headers that hold keys: read from the environment by the names in models.yaml, and shown nowhere."""

from collections.abc import Generator, Mapping

import httpx2

from arena.contestants import OpenAIContestant

LONG = 16  # letters from which on a key is a secret, and no word that a reply may hold by chance
TOLD = 8  # letters of a key in a row, or a shorter one, are as good as the key


class Keys(httpx2.Auth):
    """Adds the headers to each request on its way out. names: their environment variables, for errors."""

    def __init__(self, headers: Mapping[str, str], names: str = "") -> None:
        self._headers, self.names = dict(headers), names
        secrets = [value.removeprefix("Bearer ").lower() for value in self._headers.values()]
        self._long = [value.removeprefix("Bearer ") for value in self._headers.values() if len(value) >= LONG]
        self.longest = max(map(len, self._long), default=0)
        self._parts = {
            secret[start : start + TOLD] for secret in secrets for start in range(max(len(secret) - TOLD, 0) + 1)
        }

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Add the headers."""
        request.headers.update(self._headers)
        yield request

    def hold(self, word: str) -> bool:
        """Return whether a word is part of a key, or holds as much of one as would be a secret."""
        word = word.lower()
        return any(word in value.lower() for value in self._headers.values()) or any(
            part in word for part in self._parts
        )

    def stand_in(self, text: str) -> bool:
        """Return whether a text holds a whole key; one as short as "EMPTY", which stands for none, is no secret."""
        return any(key in text for key in self._long)


def read_keys(contestant: OpenAIContestant, environment: Mapping[str, str], key: str = "") -> tuple[Keys, str]:
    """Return the keys of a contestant, and why it cannot be asked, "" if it can; `key` is in no variable."""
    wanted = dict(contestant.headers_env)
    if contestant.api_key_env and not key:
        wanted["Authorization"] = contestant.api_key_env
    values = {variable: environment.get(variable, "").strip() for variable in wanted.values()}
    for variable, value in values.items():
        if not value:
            return Keys({}), f"the environment variable {variable} is not set: export the key under this name"
        if not (value.isascii() and value.isprintable()):
            return Keys({}), f"the environment variable {variable} holds what no header can: copy the key once more"
    headers = {header: values[variable] for header, variable in contestant.headers_env.items()}
    if bearer := key or values.get(contestant.api_key_env or ""):
        headers["Authorization"] = f"Bearer {bearer}"
    return Keys(headers, " and ".join(values)), ""
