"""What a battle looks like, as HTML: messages, the prompt, replies, and after the vote who wrote them.

Everything returned is Markup, whose format() escapes what it is given; replies are rendered by arena/ui/render.py.
Names appear in reveal_html alone, and a battle reveals them only after its vote.
"""

import time
from collections.abc import Mapping
from typing import assert_never

from markupsafe import Markup

from arena.battle import LEFT, RESTARTED, SAME_REPLIES, VOTED_BEFORE, VOTER_LEFT_OUT, Battle, Side, State
from arena.ui.render import GrowingReplies, render_reply
from ratings.outcomes import Outcome

INTRO = Markup("<p>Two models answer your prompt. You do not know which is which: choose the better reply.</p>")
NOTICE = (
    "Prompts, replies and votes are kept, without names or addresses, to rate these models and to train the next ones. "
    "Do not type anything personal."
)
NOTHING = Markup('<p class="waiting"></p>')
BEGUN = Markup('<p class="waiting">…</p>')
EMPTY = Markup('<p class="waiting">(an empty reply)</p>')
LOST = "{} while this was being answered. Your prompt is in the box: send it again."
WHY_NOT = {
    VOTED_BEFORE: "you had voted on this prompt before",
    VOTER_LEFT_OUT: "the owner of this arena has left your votes out",
}
STORED = "Your vote is stored."
CUT = Markup('<p class="note">The reply was cut here: it had reached the maximum length.</p>')
ALERT = Markup('<p class="alert">{}</p>')
HINT = Markup('<p class="hint">{}</p>')
WAITING = Markup('<p class="hint">{} <span aria-hidden="true" data-seconds>{} s</span></p>')
ASKED = Markup(
    '<div class="asked" role="group" aria-label="Your prompt" tabindex="0"><small>Your prompt</small>'
    '<p dir="auto">{}</p></div>'
)
CARD = Markup('<div class="card"><b>{}</b> was <strong>{}</strong><small>{}{}</small></div>')
REVEAL = Markup('<p class="verdict">{} {}</p><div class="cards">{}</div>')
PREFERRED = Markup("You preferred <strong>{}</strong>.")

# How Gradio's HTML component writes a value. Both live regions exist before they hold any text, or screen readers
# would miss it. A reply comes in pieces, so that an update holds only the pieces that changed.
LIVE = """<div role="status">${value.includes('class="alert"') ? "" : value}</div>
<div role="alert">${value.includes('class="alert"') ? value : ""}</div>"""
PIECES = '${Array.isArray(value) ? value.join("") : value}'


def alert(text: str) -> Markup:
    """Return a message that a screen reader announces at once."""
    return ALERT.format(text)


def hint(text: str) -> Markup:
    """Return a message that a screen reader announces when it has nothing else to read."""
    return HINT.format(text)


def waiting(text: str, began: float) -> Markup:
    """Return a message with the seconds so far; their change shows the page that the server is still there."""
    return WAITING.format(text, int(time.monotonic() - began))


def loading_text(missing: int, number: int) -> str:
    """Return what a visitor reads whose battle cannot begin yet; which models are missing would tell who is drawn."""
    ready = f"{number - missing} of {number} models are loaded" if missing else "The models are being loaded"
    return f"{ready}. Your prompt is kept."


def lost_html(battle: Battle) -> Markup:
    """Return the message about a battle that failed while nobody looked."""
    return hint(LOST.format("The server restarted" if battle.void_reason == RESTARTED else "A model failed"))


def message_html(battle: Battle) -> Markup:
    """Return the message about a battle that is not being written."""
    if battle.state is State.READY:
        warning = (
            "You have voted on this prompt before: a vote would not count. " if battle.flag == VOTED_BEFORE else ""
        )
        return hint(
            f"{warning}Which reply is better? The names are shown after your vote. A new prompt ends the battle."
        )
    if battle.state is State.VOTED:
        return hint("Thank you. Start the next battle whenever you like.")
    if battle.state is State.VOID and battle.void_reason == SAME_REPLIES:
        return hint("Both replies are the same, so there is nothing to choose between. Start a new battle.")
    if battle.state is State.VOID and battle.void_reason == LEFT:
        return hint("This battle was left for a new one, perhaps in another tab.")
    if battle.state is State.VOID:
        return alert("A reply failed, so this battle is void and takes no vote. Start a new one.")
    return Markup()


def asked_html(prompt: str) -> Markup:
    """Return the prompt in a box that scrolls if it is long."""
    return ASKED.format(prompt)


def reply_html(battle: Battle, side: Side, growing: GrowingReplies) -> Markup | list[Markup]:
    """Return as much of a reply as may be shown, for the template PIECES."""
    text = battle.shown(side)
    if battle.state is State.GENERATING:
        return growing.render((battle.id, side), text) if text else BEGUN
    reply = battle.replies.get(side)
    cut = CUT if reply and reply.finish == "length" else Markup()
    return (render_reply(text) if text.strip() else EMPTY) + cut


def reveal_html(battle: Battle, gain: float | None, stages: Mapping[str, str], elo: Mapping[str, float]) -> Markup:
    """Return who wrote the replies of a battle that has its vote; gain is the change of side a's Elo, None for none."""
    a, b = battle.reveal()
    assert battle.outcome is not None
    cards = [
        CARD.format(side, name, stages.get(name, ""), _elo(elo.get(name), points))
        for side, name, points in (("A", a, gain), ("B", b, None if gain is None else -gain))
    ]
    why = WHY_NOT.get(battle.flag, battle.flag)
    stored = f"Your vote is stored, but not counted: {why}." if why else STORED
    return REVEAL.format(_verdict(battle.outcome, a, b), stored, Markup().join(cards))


def _verdict(outcome: Outcome, a: str, b: str) -> Markup:
    match outcome:
        case Outcome.A_WINS:
            return PREFERRED.format(a)
        case Outcome.B_WINS:
            return PREFERRED.format(b)
        case Outcome.TIE:
            return Markup("You called it a tie.")
        case Outcome.BOTH_BAD:
            return Markup("You found both bad.")
        case unknown:
            assert_never(unknown)


def _elo(rating: float | None, points: float | None) -> str:
    if rating is None:
        return ""
    moved = "" if points is None else f" ({points:+.1f})".replace("-", "\N{MINUS SIGN}")
    if points is not None and abs(points) < 0.05:
        moved = " (\N{PLUS-MINUS SIGN}0.0)"
    return f" · Elo {rating:.0f}{moved}"
