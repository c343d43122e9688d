"""The report card as one HTML page that needs no network, no server and no other file (plotly inside).

A table of the stages side by side, then right answers by task, the course of reinforcement learning, loss curves, and
ten prompts with every reply. Whatever a model wrote is escaped.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import markupsafe

from training.evaluate.figures import find_alarms, loss_figure, snapshots_figure, tasks_figure, watched_figure
from training.evaluate.table import REWARD_ROWS, RL_ROWS, ROWS, Card, label_of, look_up

STYLE = Path(__file__).with_name("card.css")


def render_card(cards: list[Card], histories: dict[str, list[dict[str, float]]], snapshots: list[Card]) -> str:
    """Return the page. histories: what each checkpoint's trainer logged, by label; snapshots: RL's, as judged."""
    from plotly.offline import get_plotlyjs

    writers = [c for c in cards if c["stage"] != "reward"]
    judges = [c for c in cards if c["stage"] == "reward"]
    learners = [c for c in cards if c["stage"] == "rlhf"]
    machines = sorted({str(c["machine"]) for c in cards if c["machine"]})
    style = STYLE.read_text(encoding="utf-8")
    parts = [
        f"<h1>Report card: {escape(', '.join(dict.fromkeys(c['family'] for c in cards)))}</h1>",
        "<p>Measured on held-out prompts: phrasings, plots, names and words that no training text contains. "
        "Chat checkpoints answer greedily; a base model is shown solved questions first.</p>",
        f'<p class="note">Trained on {escape("; ".join(machines))}. Voters are synthetic.</p>' if machines else "",
        section("The stages side by side", table(writers, ROWS)),
        section("Right answers by task", figure(tasks_figure(writers), "tasks")) if writers else "",
        section("Reward model", table(judges, REWARD_ROWS)) if judges else "",
        section("Reinforcement learning, on held-out prompts", table(learners, RL_ROWS)) if learners else "",
        *(
            section(f"On the way of {label}", alarms_list(find_alarms(rows)) + figure(watched_figure(rows), f"rl-{i}"))
            for i, (label, rows) in enumerate(histories.items())
            if any("kl" in row for row in rows)
        ),
        section("Reward against KL", figure(snapshots_figure(snapshots), "snapshots")) if len(snapshots) > 1 else "",
        section("Loss on the way", figure(loss_figure(histories), "loss")) if histories else "",
        section("Ten prompts, every reply", replies_table(writers)) if writers else "",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Report card</title>\n<style>\n{style}</style>\n<script>{get_plotlyjs()}</script>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def escape(text: object) -> str:
    """Escape text for HTML."""
    return str(markupsafe.escape(text))


def section(title: str, body: str) -> str:
    """Return a section of the page."""
    return f"<section>\n<h2>{escape(title)}</h2>\n{body}\n</section>"


def table(cards: list[Card], rows: Iterable[tuple[str, str, str]]) -> str:
    """Return a table with a column per checkpoint; figures that no checkpoint has are left out."""
    head = "".join(f"<th>{escape(label_of(card))}</th>" for card in cards)
    body = []
    for key, title, form in rows:
        values = [look_up(card, key) for card in cards]
        if any(value is not None for value in values):
            cells = "".join(f"<td>{'' if v is None else form.format(v)}</td>" for v in values)
            body.append(f"<tr><td>{escape(title).replace('  ', '&emsp;')}</td>{cells}</tr>")
    return (
        f'<div class="wide"><table><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
    )


def replies_table(cards: list[Card]) -> str:
    """Return the shown prompts with the reply of each checkpoint."""
    head = "".join(f"<th>{escape(label_of(card))}</th>" for card in cards)
    replies_to: dict[str, dict[str, str]] = {}
    for card in cards:
        for row in card.get("shown", []):
            replies_to.setdefault(row["prompt"], {})[label_of(card)] = row["reply"]
    rows = [
        f'<tr><td class="prompt">{escape(prompt)}</td>'
        + "".join(f"<td>{escape(replies.get(label_of(card), ''))}</td>" for card in cards)
        + "</tr>"
        for prompt, replies in replies_to.items()
    ]
    note = "<p class='note'>A base model gets the plain prompt here, and continues it.</p>"
    return (
        f'{note}<div class="wide"><table class="replies"><thead><tr><th>Prompt</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def alarms_list(alarms: list[str]) -> str:
    """Return alarms as a list, or that there are none."""
    if not alarms:
        return "<p class='note'>No alarm.</p>"
    return f"<ul>{''.join(f'<li>{escape(alarm)}</li>' for alarm in alarms)}</ul>"


def figure(chart: Any, name: str) -> str:
    """Return a figure as HTML without plotly.js, which is in the page once."""
    text: str = chart.to_html(full_html=False, include_plotlyjs=False, div_id=name, config={"displayModeBar": False})
    return text
