"""The battle tab: a prompt, two anonymous replies, a vote, the reveal.

The visitor sees a function of the battle's state (view_battle). The browser sends the prompt, or the vote and the id of
its battle; the id is random and accepted only from that battle's visitor.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import gradio as gr
from markupsafe import Markup

from arena.battle import BATTLE_ID_LENGTH, SAME_REPLIES, SIDES, Battle, BattleError, Side, State
from arena.guard.prompt_checks import MAX_CHARACTERS, PromptRefused
from arena.service import Service
from arena.ui.battle_html import (
    INTRO,
    LIVE,
    NOTHING,
    NOTICE,
    PIECES,
    alert,
    asked_html,
    loading_text,
    lost_html,
    message_html,
    reply_html,
    reveal_html,
    waiting,
)  # fmt: skip
from arena.ui.render import GrowingReplies
from ratings.fit.elo import Ticker
from ratings.outcomes import Outcome

LOOK_SECONDS = 0.06  # between two updates of the page
LOAD_LOOK_SECONDS = 0.5
CHOICES = {
    "vote-a": ("A is better", Outcome.A_WINS),
    "vote-b": ("B is better", Outcome.B_WINS),
    "vote-tie": ("Tie", Outcome.TIE),
    "vote-both-bad": ("Both are bad", Outcome.BOTH_BAD),
}
# The gate would refuse a very long prompt without a message on the page. Cut to a length that is still too long for
# check_prompt (JavaScript counts some characters as two), it is refused there, with a message.
LONGEST = 2 * MAX_CHARACTERS + 2
SHORTEN = f"(text) => text.slice(0, {LONGEST})"
# The draft that connection.js has kept over a reload of this tab.
BOX = """document.querySelector("#prompt textarea")"""
DRAFT = f"""() => (sessionStorage.getItem("draft") || {BOX}?.value || "").slice(0, {LONGEST})"""
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

Updates = dict[Any, Any]


class BattleTab:
    """Build the tab inside a gr.Blocks and serve its events."""

    def __init__(
        self, service: Service, stages: dict[str, str], ticker: Ticker, ready_prompts: tuple[str, ...]
    ) -> None:
        """Lay the tab out; stages maps each contestant to its stage, for the reveal."""
        self.service, self.stages, self.ticker = service, stages, ticker
        self.growing = GrowingReplies()
        self._lay_out(ready_prompts)

    # Handlers

    async def send(self, text: str, request: gr.Request) -> AsyncIterator[Updates]:
        """Start a battle and show it until it ends."""
        starting = asyncio.ensure_future(self.service.start(_visitor(request), text, _address(request)))
        async for updates in self._follow(starting, {self.prompt: ""}):  # the page shows it above the replies
            yield updates

    def _voter(self, outcome: Outcome) -> Callable[[str, gr.Request], Awaitable[Updates]]:
        async def vote(battle_id: str, request: gr.Request) -> Updates:
            return await self.vote(outcome, battle_id, request)

        return vote

    async def vote(self, outcome: Outcome, battle_id: str, request: gr.Request) -> Updates:
        """Store the choice, then name the contestants."""
        try:
            battle = await self.service.vote(_visitor(request), battle_id, outcome)
        except BattleError as refusal:
            return await self._view_refusal(battle_id, request, str(refusal))
        gain = None if battle.flag else self.ticker.update(*battle.reveal(), outcome)
        return self.view_battle(battle, gain)

    async def resume(self, typed: str, request: gr.Request) -> AsyncIterator[Updates]:
        """Bring back the battle that this visitor had open before a reload or a restart."""
        opening = asyncio.ensure_future(self.service.open_battle(_visitor(request)))
        async for updates in self._follow(opening):
            yield updates
        if opening.done() and not opening.exception() and opening.result() is None:
            with contextlib.suppress(BattleError):
                # A newer prompt in the box must not be replaced by the lost one.
                if (lost := await self.service.lost_battle(_visitor(request))) and not typed:
                    yield {self.prompt: lost.prompt, self.message: lost_html(lost)}

    async def look(self, battle_id: str, request: gr.Request) -> Updates:
        """Update the page's battle, which another tab may have changed."""
        battle = await self._own_battle(battle_id, request)
        is_still = battle is not None and battle.state is not State.GENERATING
        return self.view_battle(battle) if battle and is_still else {self.battle: battle_id}

    async def clear(self, battle_id: str, request: gr.Request) -> Updates:
        """End the battle and show an empty page."""
        try:
            await self.service.skip(_visitor(request), battle_id)
        except BattleError as refusal:
            return {self.message: alert(str(refusal))}
        return self.view_nothing()

    async def _follow(
        self, starting: "asyncio.Future[Battle] | asyncio.Future[Battle | None]", at_first: Updates | None = None
    ) -> AsyncIterator[Updates]:
        """Wait for a battle and show it until it ends; the service's work goes on if the page is closed.

        at_first is shown once, when the battle begins.
        """
        starting.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        began = time.monotonic()
        while not (await asyncio.wait({starting}, timeout=LOAD_LOOK_SECONDS))[0]:
            yield {self.message: waiting(loading_text(*self.service.loading), began)}
        try:
            battle = starting.result()
        except (PromptRefused, BattleError) as refusal:
            yield {self.message: alert(str(refusal)), self.send_button: gr.Button(interactive=True)}
            return
        if battle is None:
            yield {self.message: "", self.send_button: gr.Button(interactive=True)}
            return
        if at_first:
            yield at_first
        while battle.state is State.GENERATING:
            yield self.view_battle(battle) | {self.message: waiting("Both models are writing.", began)}
            await asyncio.sleep(LOOK_SECONDS)
        has_failed = battle.state is State.VOID and battle.void_reason != SAME_REPLIES
        yield self.view_battle(battle) | ({self.prompt: battle.prompt} if has_failed else {})

    async def _view_refusal(self, battle_id: str, request: gr.Request, why: str) -> Updates:
        """Show why a vote was refused, and the battle, which may have changed in another tab."""
        battle = await self._own_battle(battle_id, request)
        return (self.view_battle(battle) if battle else {}) | {self.message: alert(why)}

    async def _own_battle(self, battle_id: str, request: gr.Request) -> Battle | None:
        try:
            battle = await self.service.find(battle_id)
        except BattleError:  # the ledger cannot be read at the moment
            return None
        return battle if battle and battle.visitor == _visitor(request) else None

    # Views

    def view_battle(self, battle: Battle, gain: float | None = None) -> Updates:
        """Return the page for a battle in its state, without any name before its vote.

        gain is the change of side a's Elo, if the vote was cast just now and counts.
        """
        state = battle.state
        is_running, is_voted = state is State.GENERATING, state is State.VOTED
        return {
            self.battle: battle.id,
            self.message: message_html(battle),
            self.asked: asked_html(battle.prompt),
            self.sides["a"]: reply_html(battle, "a", self.growing),
            self.sides["b"]: reply_html(battle, "b", self.growing),
            self.send_button: gr.Button(interactive=not is_running),
            self.new_battle: gr.Button("New battle" if state is not State.READY else "Skip", visible=not is_running),
            **self._view_votes(battle),
            self.reveal: gr.HTML(
                reveal_html(battle, gain, self.stages, self.ticker.ratings) if is_voted else "", visible=is_voted
            ),
        }

    def _view_votes(self, battle: Battle) -> Updates:
        return {
            self.votes[elem_id]: gr.Button(
                interactive=battle.state is State.READY,
                variant="primary" if battle.outcome is outcome else "secondary",
            )
            for elem_id, (_, outcome) in CHOICES.items()
        }

    def view_nothing(self) -> Updates:
        """Return the page before a battle."""
        return {
            self.battle: "",
            self.message: Markup(),
            self.asked: Markup(),
            **dict.fromkeys(self.sides.values(), NOTHING),
            self.send_button: gr.Button(interactive=True),
            self.new_battle: gr.Button(visible=False),
            **{button: gr.Button(interactive=False, variant="secondary") for button in self.votes.values()},
            self.reveal: gr.HTML("", visible=False),
        }

    # Layout and wiring

    def _lay_out(self, ready_prompts: tuple[str, ...]) -> None:
        gr.HTML(INTRO, elem_id="intro")
        with gr.Row(elem_id="ask"):
            self.prompt = gr.Textbox(
                elem_id="prompt", label="Your prompt", placeholder="Ask something…", show_label=False, container=False,
                lines=1, max_lines=6, scale=8, autofocus=True, max_length=LONGEST,
            )  # fmt: skip
            # Disabled until resume is done: Gradio would lose the answer to an event during the page's first one.
            self.send_button = gr.Button("Send", elem_id="send", variant="primary", interactive=False)
        with gr.Row(elem_id="ready-prompts"):
            ready = [gr.Button(text, size="sm", elem_classes="ready-prompt") for text in ready_prompts]
        self.look_again = gr.Button("Look again", elem_id="look-again")  # clicked by connection.js, hidden
        self.battle = gr.Textbox("", visible=False, max_length=BATTLE_ID_LENGTH)  # id of the battle on the page
        self.message = gr.HTML("", elem_id="message", html_template=LIVE)
        self.asked = gr.HTML("", elem_id="asked")
        self.sides: dict[Side, gr.HTML] = {}
        with gr.Row(equal_height=True, elem_id="sides"):
            for side in SIDES:
                with gr.Column(min_width=280, elem_id=f"box-{side}", elem_classes="side"):
                    gr.HTML(Markup("<h2>Reply {}</h2>").format(side.upper()))
                    self.sides[side] = gr.HTML(
                        NOTHING, elem_id=f"side-{side}", elem_classes="reply", html_template=PIECES
                    )
        self.reveal = gr.HTML("", elem_id="reveal", visible=False)
        limits = f" {self.service.limits.describe()}" if self.service.limits else ""
        gr.HTML(Markup("<p>{}{}</p>").format(NOTICE, limits), elem_id="kept")
        self._lay_out_bar()
        self._wire(dict(zip(ready, ready_prompts, strict=True)))

    def _lay_out_bar(self) -> None:
        with gr.Row(elem_id="bar"):
            with gr.Row(elem_id="votes"):
                self.votes = {
                    elem_id: gr.Button(label, elem_id=elem_id, interactive=False)
                    for elem_id, (label, _) in CHOICES.items()
                }
            self.new_battle = gr.Button("New battle", elem_id="new-battle", visible=False)

    def _wire(self, ready: dict[gr.Button, str]) -> None:
        for trigger in (self.prompt.submit, self.send_button.click):
            trigger(self.send, [self.prompt], self._shown, trigger_mode="once", js=SHORTEN, **QUIET)
        for elem_id, (_, outcome) in CHOICES.items():
            vote = self.votes[elem_id].click
            vote(self._voter(outcome), [self.battle], self._shown, trigger_mode="once", **QUIET)
        self.new_battle.click(self.clear, [self.battle], self._shown, **QUIET)
        self.look_again.click(self.look, [self.battle], self._shown, **QUIET)
        for button, text in ready.items():
            button.click(None, None, [self.prompt], js=f"() => {{ {BOX}.focus(); return {json.dumps(text)}; }}")

    def wire_resume(self, page: gr.Blocks) -> None:
        """Bring back an open battle whenever the page is loaded."""
        page.load(self.resume, [self.prompt], self._shown, js=DRAFT, **QUIET)

    @property
    def _shown(self) -> list[Any]:
        return [self.battle, self.prompt, self.message, self.asked, *self.sides.values(), self.send_button,
                *self.votes.values(), self.reveal, self.new_battle]  # fmt: skip


def _visitor(request: gr.Request) -> str:
    visitor: str = request.request.state.visitor
    return visitor


def _address(request: gr.Request) -> str:
    client = request.request.client
    return str(client.host) if client else ""
