"""The battle tab: a prompt, two anonymous replies, a vote, the reveal.

What the visitor sees is a function of the battle's state (view_battle). The client sends the prompt or the choice
and nothing else; which battle it means is looked up on the server by visitor and session.
"""

import asyncio
import html
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import gradio as gr

from arena.battle import SIDES, Battle, BattleError, Side, State
from arena.guard import MAX_LETTERS, PromptRefused
from arena.host import Host
from arena.render import render_reply
from ratings.elo import Ticker
from ratings.outcomes import Outcome

LOOK_SECONDS = 0.06  # how often the page looks at the battle's buffers
KEPT_SESSIONS = 4000
CHOICES = {
    "vote-a": ("A is better", Outcome.A_WINS),
    "vote-b": ("B is better", Outcome.B_WINS),
    "vote-tie": ("Tie", Outcome.TIE),
    "vote-both-bad": ("Both are bad", Outcome.BOTH_BAD),
}
WAITING = '<p class="waiting">{}</p>'

# A prompt far too long would be refused by the gate, with no word on the page. Cut to what is surely too long for
# check_prompt (JavaScript counts some letters as two), it gets there and is answered.
SHORTEN = f"(text) => text.slice(0, {2 * MAX_LETTERS + 2})"
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

Updates = dict[Any, Any]


class BattleTab:
    """Build the tab inside a gr.Blocks and serve its events."""

    def __init__(self, host: Host, stages: dict[str, str], ticker: Ticker, ready_prompts: tuple[str, ...]) -> None:
        """Lay the tab out; stages gives the stage of each contestant, for the reveal."""
        self.host, self.stages, self.ticker = host, stages, ticker
        self._of_session: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._lay_out(ready_prompts)

    # Handlers

    async def send(self, text: str, request: gr.Request) -> AsyncIterator[Updates]:
        """Start a battle and show it until it ends."""
        try:
            battle = await self.host.start(_visitor(request), text)
        except (PromptRefused, BattleError) as refusal:
            yield {self.message: _alert(str(refusal))}
            return
        self._claim(request, battle)
        async for updates in self._watch(battle):
            yield updates

    def _voter(self, outcome: Outcome) -> Callable[[gr.Request], Awaitable[Updates]]:
        async def vote(request: gr.Request) -> Updates:
            return await self.vote(outcome, request)

        return vote

    async def vote(self, outcome: Outcome, request: gr.Request) -> Updates:
        """Store the choice, then name the contestants."""
        battle_id = self._of_session.get(_session(request), "")
        try:
            battle = await self.host.vote(_visitor(request), battle_id, outcome)
        except BattleError as refusal:
            return {self.message: _alert(str(refusal))}
        gain = self.ticker.update(*battle.reveal(), outcome)
        return self.view_battle(battle) | {self.reveal: gr.HTML(self._reveal(battle, gain), visible=True)}

    async def resume(self, request: gr.Request) -> AsyncIterator[Updates]:
        """Bring back the battle that this visitor had open before a reload or a restart."""
        battle = await self.host.open_battle(_visitor(request))
        if battle is None:
            yield {self.message: "", self.send_button: gr.Button(interactive=True)}
            return
        self._claim(request, battle)
        async for updates in self._watch(battle):
            yield {self.prompt: battle.prompt} | updates

    async def clear(self, request: gr.Request) -> Updates:
        """Leave the battle and show an empty page."""
        battle_id = self._of_session.pop(_session(request), "")
        await self.host.skip(_visitor(request), battle_id)
        return self.view_nothing()

    async def _watch(self, battle: Battle) -> AsyncIterator[Updates]:
        while battle.state is State.GENERATING:
            yield self.view_battle(battle)
            await asyncio.sleep(LOOK_SECONDS)
        yield self.view_battle(battle)

    # What is shown

    def view_battle(self, battle: Battle) -> Updates:
        """Return the page for a battle in its state, without any name."""
        state = battle.state
        is_running = state is State.GENERATING
        message = {
            State.READY: _hint("Which reply is better? The names are shown after your vote."),
            State.VOID: _alert("A reply failed, so this battle is void and takes no vote. Start a new one."),
        }.get(state, "")
        return {
            self.message: message,
            self.sides["a"]: _reply_html(battle, "a"),
            self.sides["b"]: _reply_html(battle, "b"),
            self.send_button: gr.Button(interactive=not is_running),
            self.new_battle: gr.Button("New battle" if state is not State.READY else "Skip", visible=not is_running),
            **self._view_votes(battle),
            self.reveal: gr.HTML("", visible=False),
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
            self.prompt: "",
            self.message: "",
            **{side: WAITING.format("") for side in self.sides.values()},
            self.send_button: gr.Button(interactive=True),
            self.new_battle: gr.Button(visible=False),
            **{button: gr.Button(interactive=False, variant="secondary") for button in self.votes.values()},
            self.reveal: gr.HTML("", visible=False),
        }

    def _reveal(self, battle: Battle, gain: float) -> str:
        a, b = battle.reveal()
        assert battle.outcome is not None
        cards = [
            f'<div class="card"><b>{side}</b> was <strong>{html.escape(name)}</strong>'
            f"<small>{html.escape(self.stages.get(name, ''))} · "
            f"Elo {self.ticker.ratings[name]:.0f} ({points:+.1f})</small></div>"
            for side, name, points in (("A", a, gain), ("B", b, -gain))
        ]
        verdict = {
            Outcome.A_WINS: f"You preferred <strong>{html.escape(a)}</strong>.",
            Outcome.B_WINS: f"You preferred <strong>{html.escape(b)}</strong>.",
            Outcome.TIE: "You called it a tie.",
            Outcome.BOTH_BAD: "You found both bad.",
        }[battle.outcome]
        return f'<p class="verdict">{verdict} Your vote is stored.</p><div class="cards">{"".join(cards)}</div>'

    # Layout and wiring

    def _lay_out(self, ready_prompts: tuple[str, ...]) -> None:
        gr.HTML("<p>Two models answer your prompt. You do not know which is which: say whose reply is better.</p>")
        with gr.Row(equal_height=True):
            self.prompt = gr.Textbox(
                elem_id="prompt", placeholder="Ask something…", show_label=False, container=False, lines=1,
                max_lines=6, scale=8, autofocus=True,
            )  # fmt: skip
            # Gradio loses the answer to what is sent while the page's own first event is under way: resume opens it.
            self.send_button = gr.Button(
                "Send", elem_id="send", variant="primary", scale=1, min_width=110, interactive=False
            )
        with gr.Row(elem_id="ready-prompts"):
            ready = [gr.Button(text, size="sm", elem_classes="ready-prompt") for text in ready_prompts]
        self.message = gr.HTML("", elem_id="message")
        self.sides: dict[Side, gr.HTML] = {}
        with gr.Row(equal_height=True, elem_id="sides"):
            for side in SIDES:
                with gr.Column(min_width=280, elem_classes="side"):
                    gr.HTML(f"<h2>{side.upper()}</h2>")
                    self.sides[side] = gr.HTML(WAITING.format(""), elem_id=f"side-{side}", elem_classes="reply")
        with gr.Row(elem_id="votes"):
            self.votes = {
                elem_id: gr.Button(label, elem_id=elem_id, interactive=False, min_width=130)
                for elem_id, (label, _) in CHOICES.items()
            }
        self.reveal = gr.HTML("", elem_id="reveal", visible=False)
        self.new_battle = gr.Button("New battle", elem_id="new-battle", visible=False)
        self._wire(dict(zip(ready, ready_prompts, strict=True)))

    def _wire(self, ready: dict[gr.Button, str]) -> None:
        for trigger in (self.prompt.submit, self.send_button.click):
            trigger(self.send, [self.prompt], self._shown, trigger_mode="once", js=SHORTEN, **QUIET)
        for elem_id, (_, outcome) in CHOICES.items():
            self.votes[elem_id].click(self._voter(outcome), None, self._shown, trigger_mode="once", **QUIET)
        self.new_battle.click(self.clear, None, self._shown, **QUIET)
        for button, text in ready.items():
            button.click(None, None, [self.prompt], js=f"() => {json.dumps(text)}")

    def wire_resume(self, page: gr.Blocks) -> None:
        """Bring back an open battle whenever the page is loaded."""
        page.load(self.resume, None, self._shown, **QUIET)

    @property
    def _shown(self) -> list[Any]:
        return [self.prompt, self.message, *self.sides.values(), self.send_button, *self.votes.values(), self.reveal,
                self.new_battle]  # fmt: skip

    def _claim(self, request: gr.Request, battle: Battle) -> None:
        self._of_session[_session(request)] = battle.id
        while len(self._of_session) > KEPT_SESSIONS:
            self._of_session.popitem(last=False)


def _visitor(request: gr.Request) -> str:
    visitor: str = request.request.state.visitor
    return visitor


def _session(request: gr.Request) -> tuple[str, str]:
    return _visitor(request), str(request.session_hash)


def _reply_html(battle: Battle, side: Side) -> str:
    is_final = side in battle.replies
    text = battle.texts[side]
    if not text:
        return WAITING.format("(an empty reply)" if is_final else "…" if battle.state is State.GENERATING else "")
    return render_reply(text, is_final=is_final)


def _alert(text: str) -> str:
    return f'<p class="alert" role="alert">{html.escape(text)}</p>'


def _hint(text: str) -> str:
    return f'<p class="hint" role="status">{html.escape(text)}</p>'
