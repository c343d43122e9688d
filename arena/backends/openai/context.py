"""Whether a conversation fits, found out beforehand where the server counts tokens cheaply.

vLLM and llama.cpp tell their context once and count tokens on request. A token is at least one byte, so most prompts
are known to fit without a request. Without a tokenizer the bytes are an estimate, and what the server alone knows comes
as its error (ContextExceeded).
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from arena.backends.base import BackendError, PromptTooLong
from arena.backends.openai.client import ASK_SECONDS, Endpoint
from arena.backends.openai.dialects import question, root_of
from arena.contestants import Dialect, FewShotStyle, Style
from common.conversation import Conversation

FRAME_TOKENS = 256  # what a chat template may add to a conversation, and
MESSAGE_TOKENS = 16  # to each of its messages
BYTES_PER_TOKEN = 3  # less than in English, about right in Chinese
ASK_AGAIN_SECONDS = 60.0  # after an endpoint has not told its context
OLLAMA_CONTEXT = 4096  # its default; what does not fit is cut off there without a word


class ContextWindow:
    """The tokens that prompt and reply may have together; 0 while that is unknown."""

    def __init__(
        self, model: str, dialect: Dialect, stated: int | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._model, self._dialect, self._clock = model, dialect, clock
        self.tokens = stated or (OLLAMA_CONTEXT if dialect == "ollama" else 0)
        self._asked = float("-inf")

    async def require_room(
        self, endpoint: Endpoint | None, conversation: Conversation, style: Style, max_tokens: int
    ) -> None:
        """Refuse a conversation that leaves no room for the reply; without an answer from the server, accept it.

        Raises:
            PromptTooLong: it leaves none.
            BackendError: no conversation would.
        """
        await self._learn(endpoint)
        room = self.tokens - max_tokens
        if not self.tokens:
            return
        if room <= 0:
            raise BackendError(
                f"max_tokens {max_tokens} leaves no room for a prompt in {self.tokens} tokens of context"
            )
        size = most_tokens(conversation, style)
        if size <= room:
            return
        used = await self._count(endpoint, conversation, style) or size // BYTES_PER_TOKEN
        if used > room:
            raise too_long(conversation, style, used=used, room=room)

    async def _learn(self, endpoint: Endpoint | None) -> None:
        if self.tokens or endpoint is None or self._clock() - self._asked < ASK_AGAIN_SECONDS:
            return
        self._asked = self._clock()
        match self._dialect:
            case "vllm":
                listed = await _ask(endpoint, f"{endpoint.address}/models")
                names = _at(listed, "data")
                models = names if isinstance(names, list) else []
                self.tokens = next((_number(m, "max_model_len") for m in models if _at(m, "id") == self._model), 0)
            case "llamacpp":
                props = await _ask(endpoint, f"{root_of(endpoint.address)}/props")
                self.tokens = _number(_at(props, "default_generation_settings"), "n_ctx")

    async def _count(self, endpoint: Endpoint | None, conversation: Conversation, style: Style) -> int:
        """Return the tokens of a conversation as the server counts them, 0 if it does not."""
        if endpoint is None:
            return 0
        root, asked = root_of(endpoint.address), question(conversation, style)
        match self._dialect:
            case "vllm":
                return _number(await _ask(endpoint, f"{root}/tokenize", {"model": self._model, **asked}), "count")
            case "llamacpp":
                text = asked.get("prompt")
                if text is None:
                    text = _at(await _ask(endpoint, f"{root}/apply-template", asked), "prompt")
                if isinstance(text, str):
                    body = {"content": text, "add_special": True, "parse_special": True}
                    tokens = _at(await _ask(endpoint, f"{root}/tokenize", body), "tokens")
                    return len(tokens) if isinstance(tokens, list) else 0
        return 0


def most_tokens(conversation: Conversation, style: Style) -> int:
    """Return how many tokens a conversation may have: one for each byte, and those of its chat template."""
    size = len(_text_of(conversation, style).encode("utf-8", "replace"))
    return size + FRAME_TOKENS + MESSAGE_TOKENS * len(conversation.messages)


def too_long(conversation: Conversation, style: Style, *, used: int = 0, room: int = 0) -> PromptTooLong:
    """Return the error for a prompt, with about how many characters would fit: half, where nothing is known."""
    characters = len(conversation.prompt)
    if used <= 0 or room <= 0:
        return PromptTooLong(characters // 2)
    per_token = max(len(_text_of(conversation, style)), 1) / used
    return PromptTooLong(max(0, int(characters - (used - room) * per_token)))


def _text_of(conversation: Conversation, style: Style) -> str:
    if isinstance(style, FewShotStyle):
        return str(question(conversation, style)["prompt"])
    return "".join(message.content for message in conversation.messages)


async def _ask(endpoint: Endpoint, url: str, body: dict[str, Any] | None = None) -> Any:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            return await endpoint.ask(url, body)
    except (BackendError, TimeoutError):
        return None


def _at(tree: Any, key: str) -> Any:
    return tree.get(key) if isinstance(tree, dict) else None


def _number(tree: Any, key: str) -> int:
    value = _at(tree, key)
    return value if type(value) is int and 0 < value < 2**31 else 0  # true is no count
