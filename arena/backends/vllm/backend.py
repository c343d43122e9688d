"""Replies from a vLLM beside the arena: its engine is waited for, then asked as any endpoint is (backends/openai).

Contestants that agree in all that concerns the engine share one; each of its adapters has a backend of its own.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from arena.backends.base import BackendError, PromptTooLong, Reply, Request
from arena.backends.openai.backend import OpenAIBackend
from arena.backends.prompting import one_line
from arena.backends.vllm.command import share_an_engine
from arena.backends.vllm.engine import Engine
from arena.backends.vllm.served import Served
from arena.contestants import OpenAIContestant, Sampling, Style, VllmContestant
from arena.guard.prompt_checks import PromptRefused
from common.conversation import Conversation

TOKENS_AT_ONCE = (
    4  # per event, after the first: events cost server and client more than tokens, and replies are paced anyway
)
RESTART_SECONDS = 300.0  # that load waits for an engine that is started again


@dataclass(frozen=True)
class Encoded(Request):
    """A request with its tokens."""

    ids: list[int]


class TokensBackend(OpenAIBackend):
    """Sends tokens in the place of text, and takes the reply a few tokens at a time."""

    def _asked(self, request: Request) -> tuple[str, dict[str, Any]]:
        assert isinstance(request, Encoded)
        return "completions", {"prompt": request.ids, "stream_interval": TOKENS_AT_ONCE}


class VllmBackend:
    """Asks one model of an engine: the base, or the base with an adapter."""

    def __init__(self, engine: Engine, served: Served, adapter: Path | None) -> None:
        self._engine, self._served, self._adapter = engine, served, adapter
        self._client: TokensBackend | None = None
        self._address = ""
        engine.users.add(self)

    @property
    def is_loading(self) -> bool:
        """Return whether the engine is starting, for the first time or again."""
        return self._engine.is_loading

    @property
    def failure(self) -> str:
        """Return why the engine does not serve, "" if it does or is just starting."""
        return self._engine.failure

    async def check(self, conversation: Conversation, style: Style, sampling: Sampling) -> None:
        """Raise as the Backend protocol describes; the engine need not run for that."""
        if self.failure:
            raise BackendError(self.failure)
        if not self._served.is_prepared:
            await asyncio.to_thread(self._served.prepare)
        try:
            self._served.asker(style).check(conversation, style, sampling)
        except (PromptTooLong, PromptRefused, BackendError):
            raise
        except Exception as error:  # a checkpoint's own template or tokenizer may raise anything
            raise BackendError(f"cannot be asked this prompt: {one_line(error)}") from error

    async def load(self) -> None:
        """Wait until the engine serves."""
        await self._engine.wait_until_ready(RESTART_SECONDS)

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """Yield deltas, then the Reply.

        Raises:
            BackendError: the engine does not serve or died, or the reply took too long.
        """
        await self._engine.wait_until_ready(request.sampling.max_seconds)
        try:
            asker = self._served.asker(request.style)
            ids = asker.encode(request.conversation, request.style, request.sampling.max_tokens)
        except Exception as error:
            raise BackendError(f"cannot be asked this prompt: {one_line(error)}") from error
        asked = Encoded(**{field.name: getattr(request, field.name) for field in fields(Request)}, ids=ids)
        async with aclosing(self._ask().stream(asked)) as events:
            try:
                async for event in events:
                    yield self._finished(event, request) if isinstance(event, Reply) else event
            except BackendError:
                self._engine.doubt()
                raise

    def close(self) -> None:
        """End the engine, unless other backends use it."""
        if self._client:
            self._client.close()
        self._engine.users.discard(self)
        if not self._engine.users:
            self._engine.close()

    def _ask(self) -> TokensBackend:
        """Return the client of the engine's server, which has another address after each start."""
        if self._client is None or self._address != self._engine.address:
            if self._client:
                self._client.close()
            self._address = self._engine.address
            self._client = TokensBackend(self._contestant(), key=self._engine.key)
        return self._client

    def _contestant(self) -> OpenAIContestant:
        first = self._served.contestants[0]
        return OpenAIContestant(
            name=first.name,
            stage=first.stage,
            backend="openai",
            base_url=(f"{self._address}/v1",),
            model=self._served.names[self._adapter],
            dialect="vllm",
            token_seconds=86400.0,  # the request's own limit holds
        )

    def _finished(self, reply: Reply, request: Request) -> Reply:
        recipe = {
            **self._served.identify(self._adapter),
            "system_fingerprint": reply.recipe["system_fingerprint"],
            "prompt": request.style.model_dump(mode="json"),
            "sampling": request.sampling.model_dump(mode="json"),
            "seed": request.seed,
            "sent": reply.recipe["sent"],
        }
        # A character that was cut in its middle is no part of the text.
        return replace(reply, text=reply.text.rstrip("\ufffd").rstrip(), recipe=recipe)


def open_engines(contestants: Sequence[VllmContestant], logs: Path) -> dict[str, VllmBackend]:
    """Start the engines of contestants, in the background; return a backend for each contestant's name."""
    opened: dict[str, VllmBackend] = {}
    for shared in dict.fromkeys(map(share_an_engine, contestants)):
        group = [contestant for contestant in contestants if share_an_engine(contestant) == shared]
        served = Served(group)
        whose = ", ".join(contestant.name for contestant in group)
        log = logs / f"{re.sub('[^A-Za-z0-9._-]', '_', group[0].name)}.log"
        engine = Engine(served.launch, log, whose)
        backends = {
            adapter: VllmBackend(engine, served, adapter) for adapter in dict.fromkeys(c.adapter for c in group)
        }
        opened |= {contestant.name: backends[contestant.adapter] for contestant in group}
    return opened
