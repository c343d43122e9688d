"""What a battle looks like, as HTML: messages, the prompt, replies, and after the vote who wrote them.

Whatever a visitor or a model wrote is escaped here or rendered by arena/ui/render.py; names come in through reveal_html
alone, which a battle answers only after its vote.
"""

import html
import time
from collections.abc import Mapping
from typing import assert_never

from arena.battle import LEFT, RESTARTED, SAME_REPLIES, VOTED_BEFORE, VOTER_LEFT_OUT, Battle, Side, State
from arena.ui.render import GrowingReplies, render_reply
from ratings.outcomes import Outcome

INTRO = "<p>Two models answer your prompt. You do not know which is which: say whose reply is better.</p>"
NOTICE = (
    "Prompts, replies and votes are kept, without names or addresses, to rate these models and to train the next ones. "
    "Do not type anything personal."
)
NOTHING = '<p class="waiting"></p>'
BEGUN = '<p class="waiting">…</p>'
EMPTY = '<p class="waiting">(an empty reply)</p>'
LOST = "{} while this was being answered. Your prompt is in the box: send it again."
WHY_NOT = {
    VOTED_BEFORE: "you had voted on this prompt before",
    VOTER_LEFT_OUT: "the owner of this arena has left your votes out",
}
STORED = "Your vote is stored."
CUT = '<p class="note">The reply was cut here: it had reached the greatest length.</p>'

# How Gradio's HTML component writes a value. Both live regions are there before anything is said in them, or screen
# readers would miss it. A reply comes in pieces, so that an update holds only the pieces that changed.
LIVE = """<div role="status">${value.includes('class="alert"') ? "" : value}</div>
<div role="alert">${value.includes('class="alert"') ? value : ""}</div>"""
PIECES = '${Array.isArray(value) ? value.join("") : value}'


def alert(text: str) -> str:
    """Return a message that interrupts."""
    return f'<p class="alert">{html.escape(text)}</p>'


def hint(text: str) -> str:
    """Return a message that can wait until it is read."""
    return f'<p class="hint">{html.escape(text)}</p>'


def waiting(text: str, began: float) -> str:
    """Return a message with the seconds so far, by whose change the page sees that the server is still there."""
    seconds = int(time.monotonic() - began)
    return f'<p class="hint">{html.escape(text)} <span aria-hidden="true" data-seconds>{seconds} s</span></p>'


def lost_html(battle: Battle) -> str:
    """Return what there is to say of a battle that failed while nobody looked."""
    return hint(LOST.format("The server restarted" if battle.void_reason == RESTARTED else "A model failed"))


def message_html(battle: Battle) -> str:
    """Return what there is to say of a battle that does not run."""
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
    return ""


def asked_html(prompt: str) -> str:
    """Return the prompt in a box that scrolls where it is long."""
    return (
        '<div class="asked" role="group" aria-label="Your prompt" tabindex="0"><small>Your prompt</small>'
        f'<p dir="auto">{html.escape(prompt)}</p></div>'
    )


def reply_html(battle: Battle, side: Side, growing: GrowingReplies) -> str | list[str]:
    """Return what may be seen of a reply, for the template PIECES."""
    text = battle.shown(side)
    if battle.state is State.GENERATING:
        return growing.render((battle.id, side), text) if text else BEGUN
    reply = battle.replies.get(side)
    cut = CUT if reply and reply.finish == "length" else ""
    return (render_reply(text) if text.strip() else EMPTY) + cut


def reveal_html(battle: Battle, gain: float | None, stages: Mapping[str, str], elo: Mapping[str, float]) -> str:
    """Return who wrote the replies of a battle that has its vote; gain is what it moved side a's Elo by, if it did."""
    a, b = battle.reveal()
    assert battle.outcome is not None
    cards = [
        f'<div class="card"><b>{side}</b> was <strong>{html.escape(name)}</strong>'
        f"<small>{html.escape(stages.get(name, ''))}{_elo(elo.get(name), points)}</small></div>"
        for side, name, points in (("A", a, gain), ("B", b, None if gain is None else -gain))
    ]
    verdict = _verdict(battle.outcome, html.escape(a), html.escape(b))
    why = WHY_NOT.get(battle.flag, battle.flag)
    stored = f"Your vote is stored, but not counted: {html.escape(why)}." if why else STORED
    return f'<p class="verdict">{verdict} {stored}</p><div class="cards">{"".join(cards)}</div>'


def _verdict(outcome: Outcome, a: str, b: str) -> str:
    match outcome:
        case Outcome.A_WINS:
            return f"You preferred <strong>{a}</strong>."
        case Outcome.B_WINS:
            return f"You preferred <strong>{b}</strong>."
        case Outcome.TIE:
            return "You called it a tie."
        case Outcome.BOTH_BAD:
            return "You found both bad."
        case unknown:
            assert_never(unknown)


def _elo(rating: float | None, points: float | None) -> str:
    if rating is None:
        return ""
    moved = "" if points is None else f" ({points:+.1f})".replace("-", "\N{MINUS SIGN}")
    if points is not None and abs(points) < 0.05:
        moved = " (\N{PLUS-MINUS SIGN}0.0)"
    return f" · Elo {rating:.0f}{moved}"
