"""Replies from a model behind one endpoint or several, as the Backend protocol wants them.

The order makes retries safe: whatever is tried again is tried in `_open`, which ends with the first token. From then on
text may have been shown, so there is nothing but to finish or to fail.
"""

import asyncio
import logging
import os
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from arena.backends.base import BackendError, Finish, Reply, Request
from arena.backends.openai.client import Endpoint
from arena.backends.openai.context import ContextWindow, most_tokens, too_long
from arena.backends.openai.dialects import left_to_server, path_of, question, settings
from arena.backends.openai.draft import Draft
from arena.backends.openai.keys import read_keys
from arena.backends.openai.outcomes import ContextExceeded, Silent, Unavailable
from arena.backends.openai.pool import Member, Pool, Turn
from arena.backends.openai.reading import OutOfTime, Reading
from arena.contestants import OpenAIContestant, Sampling, Style
from arena.guard.prompt_checks import CONTROL_TOKENS, PromptRefused
from common.conversation import Conversation

MOST_TRIES = 4
FEW_TOKENS = 1024  # that every context has, where an endpoint does not say how many its own has
WELL_SECONDS = 2.0  # that a battle may wait for an endpoint that rests
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opened:
    """A reply whose first token has arrived, after so many retries."""

    reading: Reading
    turn: Turn
    retries: int


class OpenAIBackend:
    """Asks the endpoints of one contestant. There is nothing to load: is_loading is never True."""

    is_loading = False

    def __init__(
        self,
        contestant: OpenAIContestant,
        *,
        key: str = "",
        environment: Mapping[str, str] = os.environ,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        """Read the keys from the environment; `key` is one that no variable holds, such as that of an own server."""
        self._contestant, self._clock = contestant, clock
        self._keys, self._failure = read_keys(contestant, environment, key)
        endpoints = [
            Endpoint(address, model=contestant.model, keys=self._keys, transport=transport)
            for address in contestant.base_url
        ]
        self._pool = Pool(endpoints, clock=clock, rng=rng)
        self._context = ContextWindow(contestant.model, contestant.dialect, contestant.context, clock=clock)
        self._closing: asyncio.Task[Any] | None = None
        if self._failure:
            log.error("%s cannot be asked: %s", contestant.name, self._failure)

    @property
    def failure(self) -> str:
        """Return why no reply can ever be written, such as a key that is not in the environment; "" if one can."""
        return self._failure

    async def check(self, conversation: Conversation, style: Style, sampling: Sampling) -> None:
        """Require that a conversation may be asked and, as far as the server tells, that it fits."""
        self._require_usable()
        for message in conversation.turns:  # the server turns these into control tokens, whoever wrote them
            if token := CONTROL_TOKENS.search(message.content):
                raise PromptRefused(f"{token.group()!r} is a control token of a chat format: write it another way.")
        member = self._pool.any_ready()
        await self._context.require_room(member.endpoint if member else None, conversation, style, sampling.max_tokens)

    async def load(self) -> None:
        """Require that an endpoint may be asked soon; whether it is really there shows when it is.

        Raises:
            BackendError: no reply can ever be written, or all endpoints rest for longer than WELL_SECONDS.
        """
        self._require_usable()
        if trouble := self._pool.rests_for(WELL_SECONDS):
            raise BackendError(f"no endpoint is well; last, {trouble}")

    async def stream(self, request: Request) -> AsyncGenerator[str | Reply, None]:
        """Yield text as it comes, then the Reply.

        Raises:
            PromptTooLong: the endpoint says so; it alone can count.
            BackendError: no reply was written.
        """
        self._require_usable()
        began = self._clock()
        until = began + request.sampling.max_seconds
        asked = self._contestant
        sent = settings(request, asked.model, asked.dialect, asked.options, logprobs=asked.logprobs)
        opened = await self._open(request, sent, until)
        reading, draft, first_seconds = opened.reading, Draft(request.style.stop), self._clock() - began
        is_cut = False
        try:
            try:
                while not draft.is_stopped and (piece := await reading.next()) is not None:
                    if more := draft.add(piece):
                        yield more
            except OutOfTime:
                is_cut = True
                if request.sampling.at_limit == "void" or not draft.text:
                    raise BackendError(_overdue(request.sampling)) from None
            except (BackendError, ContextExceeded) as error:
                raise self._blame(opened.turn, error) from None
            if reading.finish and not reading.usage:
                await reading.wait_for_usage()
        finally:
            self._pool.give_back(opened.turn)
            await reading.close()
        yield self._record(request, sent, opened, draft, is_cut=is_cut, began=began, first_seconds=first_seconds)

    def close(self) -> None:
        """Hang up, and take no more requests."""
        self._failure = self._failure or "it is closed"
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # the connections end with the process
        self._closing = loop.create_task(self._close())

    async def _close(self) -> None:
        for member in self._pool.members:
            await member.endpoint.close()

    def _require_usable(self) -> None:
        if self._failure:
            raise BackendError(self._failure)

    async def _open(self, request: Request, sent: Mapping[str, Any], until: float) -> Opened:
        """Ask one endpoint after the other until a first token arrives."""
        tried: list[Member] = []
        while True:
            turn = await self._pool.take(without=tried, until=until)
            reading = self._read(request, turn.member.endpoint, sent, until)
            try:
                await reading.begin()
            except BaseException as error:
                self._pool.give_back(turn)
                await reading.close()
                reason = self._reason(request, turn, error)
                tried.append(turn.member)
                if not isinstance(error, Unavailable) or self._has_tried_enough(error, tried):
                    raise reason from None
                log.info("%s: %s; asking once more", self._contestant.name, reason)
            else:
                self._pool.is_well(turn)
                return Opened(reading, turn, retries=len(tried))

    def _asked(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Return where a request is sent, and the part of its body that holds what was said."""
        return path_of(request.style), question(request.conversation, request.style)

    def _read(self, request: Request, endpoint: Endpoint, sent: Mapping[str, Any], until: float) -> Reading:
        path, asked = self._asked(request)
        return Reading(
            endpoint.stream(path, {**asked, **sent}),
            asked=self._contestant.model,
            dialect=self._contestant.dialect,
            keys=self._keys,
            max_tokens=request.sampling.max_tokens,
            token_seconds=self._contestant.token_seconds,
            until=until,
            clock=self._clock,
        )

    def _has_tried_enough(self, error: Unavailable, tried: list[Member]) -> bool:
        """Return whether to give up; where all were asked, one that was silent is not asked a second time."""
        is_alone = isinstance(error, Silent) and len(set(map(id, tried))) == len(self._pool.members)
        return is_alone or len(tried) >= MOST_TRIES

    def _reason(self, request: Request, turn: Turn, error: BaseException) -> BaseException:
        """Return what to raise for what happened before the first token, and note it with its endpoint."""
        match error:
            case ContextExceeded():
                room = error.context - request.sampling.max_tokens
                if error.context and room <= 0:
                    return self._blame(turn, BackendError(f"has a context of {error.context}: lower max_tokens"))
                if 2 * most_tokens(request.conversation, request.style) < (room if error.context else FEW_TOKENS):
                    context = f"{error.context} tokens" if error.context else "its context"
                    return self._blame(turn, BackendError(f"says that a short prompt exceeds {context}"))
                return too_long(request.conversation, request.style, used=error.used, room=room)
            case OutOfTime():
                return self._blame(turn, BackendError(f"is late: {_overdue(request.sampling)}"))
            case BackendError():
                return self._blame(turn, error)
        return error

    def _blame(self, turn: Turn, error: Exception) -> BackendError:
        """Let an endpoint rest after a failure, and return the error with its address."""
        reason = f"{turn.member.endpoint.address} {error}"
        self._pool.has_failed(turn, reason, error.retry_after if isinstance(error, Unavailable) else 0.0)
        return BackendError(reason)

    def _record(
        self,
        request: Request,
        sent: Mapping[str, Any],
        opened: Opened,
        draft: Draft,
        *,
        is_cut: bool,
        began: float,
        first_seconds: float,
    ) -> Reply:
        """Return the Reply; a stop text ended it if the draft met one or the endpoint says so."""
        reading = opened.reading
        finish: Finish = "length" if is_cut or reading.finish == "length" else "end"
        return Reply(
            text=draft.text,
            finish="stop" if draft.is_stopped or isinstance(reading.stop_reason, str) else finish,
            prompt_tokens=reading.usage.prompt_tokens if reading.usage else 0,
            tokens=reading.usage.completion_tokens if reading.usage else reading.pieces,
            seconds=self._clock() - began,
            first_seconds=first_seconds,
            recipe=self._recipe(request, sent, opened),
        )

    def _recipe(self, request: Request, sent: Mapping[str, Any], opened: Opened) -> dict[str, Any]:
        reading, contestant = opened.reading, self._contestant
        return {
            "backend": "openai",
            "dialect": contestant.dialect,
            "model": contestant.model,
            "answered": reading.model,
            "system_fingerprint": reading.fingerprint,
            "endpoint": opened.turn.member.endpoint.address,
            "prompt": request.style.model_dump(mode="json"),
            "sampling": request.sampling.model_dump(mode="json"),
            "seed": request.seed,
            "sent": dict(sent),
            "left_to_server": left_to_server(contestant.dialect),
            "retries": opened.retries,
            "tokens_from": "usage" if reading.usage else "events",
            **({"logprobs": reading.logprobs} if contestant.logprobs else {}),
        }


def _overdue(sampling: Sampling) -> str:
    return f"the reply had not ended after {sampling.max_seconds:g} s (sampling.max_seconds)"
