"""The report card as one HTML page that needs no network, no server and no other file (plotly inside).

A table of the stages side by side, then exact match by task, loss curves, reinforcement learning on its way, and ten
prompts with every reply. Whatever a model wrote is escaped.
"""

import html
from collections.abc import Iterable
from typing import Any

from training.evaluate.limits import CUT_LIMIT, KL_LIMIT

Card = dict[str, Any]
COLOURS = ("#0b7bc0", "#d9822b", "#0a9e74", "#cc79a7", "#56b4e9", "#d55e00", "#8f7ad1", "#8a8a84")
STYLE = """
:root { color-scheme: light dark; --ink: #1d1d1b; --soft: #6b6b66; --line: #d9d9d2; --paper: #fdfdfb; --tint: #f3f3ee; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececea; --soft: #a3a39d; --line: #3a3a37; --paper: #171716; --tint: #222220; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
       max-width: 68rem; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .4rem; } h2 { font-size: 1.15rem; margin: 2.4rem 0 .5rem; }
p { max-width: 46rem; margin: .3rem 0; } .note { color: var(--soft); font-size: .9rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; } thead th { border-bottom: 2px solid var(--line); }
table.replies td { text-align: left; min-width: 12rem; white-space: pre-wrap; font-size: .92rem; }
table.replies th { text-align: left; } td.prompt { background: var(--tint); }
.js-plotly-plot text { fill: var(--ink) !important; }
"""
ROWS = (
    ("parameters", "Parameters", "{:,.0f}"),
    ("tokens", "Tokens seen in this stage", "{:,.0f}"),
    ("wall_hours", "Hours, wall", "{:.2f}"),
    ("cpu_hours", "Hours, processor", "{:.2f}"),
    ("bits_per_byte", "Bits per byte, held-out text", "{:.3f}"),
    ("exact", "Right answers, all checkable tasks", "{:.1%}"),
    ("exact_first_line", "  by the first line of a reply alone", "{:.1%}"),
    ("exact_with_new_words", "Right answers, prompts with held-out names or words", "{:.1%}"),
    ("stories.all", "Stories that keep hero and colour and end properly", "{:.1%}"),
    ("stories.hero_kept", "  hero kept", "{:.1%}"),
    ("stories.colour_kept", "  colour and thing kept", "{:.1%}"),
    ("stories.ended", "  ended properly", "{:.1%}"),
    ("stories.no_loop", "  no loop", "{:.1%}"),
    ("cut_off", "Replies cut off", "{:.1%}"),
    ("rubric", "Synthetic voters' rubric, of 100", "{:.1f}"),
    ("distinct_1", "Distinct-1 (8 samples a prompt)", "{:.3f}"),
    ("distinct_2", "Distinct-2", "{:.3f}"),
    ("self_bleu", "Self-BLEU (higher: varies less)", "{:.1f}"),
)
REWARD_ROWS = (
    ("heldout.noise_free_accuracy", "Held-out pairs of two replies, noise-free", "{:.1%}"),
    ("heldout.degenerate_accuracy", "Held-out pairs with a broken reply", "{:.1%}"),
    ("heldout.near_miss_accuracy", "Held-out pairs with a near miss", "{:.1%}"),
    ("heldout.pair_accuracy", "Held-out pairs, all", "{:.1%}"),
    ("heldout.calibration_error", "Calibration error", "{:.3f}"),
    ("reward_model.probes_below", "Degenerate replies below the decent one", "{:.1%}"),
    ("reward_model.decent_mean", "Mean score, decent", "{:.2f}"),
    ("reward_model.probe_mean", "Mean score, degenerate", "{:.2f}"),
)
RL_ROWS = (
    ("heldout.sft_rubric", "Rubric, SFT model", "{:.1f}"),
    ("heldout.rubric", "Rubric, RLHF model", "{:.1f}"),
    ("heldout.wins", "Held-out comparisons won against SFT", "{:.1%}"),
    ("heldout.sft_exact", "Right answers, SFT model", "{:.1%}"),
    ("heldout.exact", "Right answers, RLHF model", "{:.1%}"),
    ("heldout.sft_reward", "Reward, SFT model", "{:.2f}"),
    ("heldout.reward", "Reward, RLHF model", "{:.2f}"),
    ("heldout.kl_per_token", "KL to SFT, nats a token", "{:.3f}"),
)

WATCHED = (  # what a trainer of RL logs, and when it is an alarm
    ("reward", "reward"),
    ("kl", "KL to SFT, nats a token"),
    ("entropy", "entropy, nats a token"),
    ("completions/mean_length", "length, tokens"),
    ("completions/clipped_ratio", "share cut off"),
    ("frac_reward_zero_std", "groups without spread"),
)
ENTROPY_ALARM = 0.5  # of the first entropy
FLAT_ALARM = 0.5  # of the groups


def render_card(cards: list[Card], histories: dict[str, list[dict[str, float]]], snapshots: list[Card]) -> str:
    """Return the page. histories: what each checkpoint's trainer logged, by label; snapshots: RL's, as judged."""
    from plotly.offline import get_plotlyjs

    writers = [c for c in cards if c["stage"] != "reward"]
    judges = [c for c in cards if c["stage"] == "reward"]
    learners = [c for c in cards if c["stage"] == "rlhf"]
    machines = sorted({str(c["machine"]) for c in cards if c["machine"]})
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
        f"<title>Report card</title>\n<style>{STYLE}</style>\n<script>{get_plotlyjs()}</script>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def text_table(cards: list[Card]) -> str:
    """Return the main figures as plain text, a line a figure, for the terminal."""
    names = [label_of(card) for card in cards]
    width = max(len(title) for _, title, _ in (*ROWS, *REWARD_ROWS))
    lines = [" " * width + "".join(f"{name:>16}" for name in names)]
    for key, title, form in (*ROWS, *REWARD_ROWS, *RL_ROWS):
        is_rl = (key, title, form) in RL_ROWS
        values = [None if is_rl and card["stage"] != "rlhf" else look_up(card, key) for card in cards]
        if any(value is not None for value in values):
            cells = "".join(f"{'' if v is None else form.format(v):>16}" for v in values)
            lines.append(f"{title:<{width}}{cells}")
    return "\n".join(lines)


def label_of(card: Card) -> str:
    """Return the name a checkpoint goes by on the page: family/folder."""
    return f"{card['family']}/{card['name']}"


def look_up(card: Card, key: str) -> Any:
    """Return a figure by its dotted key, None where the card has none."""
    value: Any = card
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def escape(text: str) -> str:
    """Escape text for HTML."""
    return html.escape(str(text))


def section(title: str, body: str) -> str:
    """Return a section of the page."""
    return f"<section>\n<h2>{escape(title)}</h2>\n{body}\n</section>"


def table(cards: list[Card], rows: Iterable[tuple[str, str, str]]) -> str:
    """Return a table with a column a checkpoint; figures that none has are left out."""
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
    said: dict[str, dict[str, str]] = {}
    for card in cards:
        for row in card.get("shown", []):
            said.setdefault(row["prompt"], {})[label_of(card)] = row["reply"]
    rows = [
        f'<tr><td class="prompt">{escape(prompt)}</td>'
        + "".join(f"<td>{escape(replies.get(label_of(card), ''))}</td>" for card in cards)
        + "</tr>"
        for prompt, replies in said.items()
    ]
    note = "<p class='note'>A base model gets the plain prompt here, and continues it.</p>"
    return (
        f'{note}<div class="wide"><table class="replies"><thead><tr><th>Prompt</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def tasks_figure(cards: list[Card]) -> Any:
    """Return right answers by task, one dot per checkpoint, the hardest task on top."""
    import plotly.graph_objects as go

    names = sorted(
        {name for card in cards for name in card.get("exact_by_family", {})},
        key=lambda name: (-max(card.get("exact_by_family", {}).get(name, 0.0) for card in cards), name),
    )
    chart = go.Figure()
    for card, colour in zip(cards, COLOURS * 2, strict=False):
        values = [card.get("exact_by_family", {}).get(name) for name in names]
        chart.add_scatter(
            x=values, y=names, mode="markers", name=label_of(card), marker={"color": colour, "size": 9, "opacity": 0.85}
        )
    chart.update_xaxes(title="share of right answers", range=[-0.03, 1.03], tickformat=".0%")
    return laid_out(chart, height=160 + 20 * len(names))


def loss_figure(histories: dict[str, list[dict[str, float]]]) -> Any:
    """Return each stage's loss over its own share of steps, held-out losses dotted."""
    import plotly.graph_objects as go

    chart = go.Figure()
    for (label, rows), colour in zip(histories.items(), COLOURS * 2, strict=False):
        last = max((row.get("step", 0) for row in rows), default=1) or 1
        for key, dash, title in (("loss", "solid", label), ("eval_loss", "dot", f"{label}, held out")):
            points = [(row["step"] / last, row[key]) for row in rows if key in row and "step" in row]
            if points:
                xs, ys = zip(*points, strict=True)
                chart.add_scatter(x=xs, y=ys, mode="lines", name=title, line={"color": colour, "dash": dash})
    chart.update_xaxes(title="share of the stage's steps", tickformat=".0%")
    chart.update_yaxes(title="loss")
    return laid_out(chart, height=420)


def find_alarms(history: list[dict[str, float]]) -> list[str]:
    """Return what went wrong on the way of RL, in words; each is a sign that reward is gained at a price."""
    last = {key: [row[key] for row in history if key in row] for key, _ in WATCHED}
    found = []
    if last["kl"] and max(last["kl"]) > KL_LIMIT:
        found.append(f"KL reached {max(last['kl']):.2f} nats a token (limit {KL_LIMIT}): raise rl.beta")
    if (cut := last["completions/clipped_ratio"]) and cut[-1] > max(CUT_LIMIT, cut[0]):
        found.append(f"{cut[-1]:.0%} of the last replies were cut off, {cut[0]:.0%} of the first")
    if (entropy := last["entropy"]) and entropy[-1] < ENTROPY_ALARM * entropy[0]:
        found.append(f"entropy fell from {entropy[0]:.2f} to {entropy[-1]:.2f} nats a token: replies vary less")
    if (flat := last["frac_reward_zero_std"]) and flat[-1] > FLAT_ALARM:
        found.append(f"{flat[-1]:.0%} of the last groups had one reward for all replies and taught nothing")
    return found


def alarms_list(alarms: list[str]) -> str:
    """Return alarms as a list, or that there are none."""
    if not alarms:
        return "<p class='note'>No alarm.</p>"
    return f"<ul>{''.join(f'<li>{escape(alarm)}</li>' for alarm in alarms)}</ul>"


def watched_figure(history: list[dict[str, float]]) -> Any:
    """Return small multiples over the steps of RL: reward, KL, entropy, length, cut-offs, groups without spread."""
    from plotly.subplots import make_subplots

    shown = [(key, title) for key, title in WATCHED if any(key in row for row in history)]
    height = -(-len(shown) // 2)
    chart = make_subplots(rows=height, cols=2, subplot_titles=[title for _, title in shown], vertical_spacing=0.14)
    for i, (key, title) in enumerate(shown):
        points = [(row["step"], row[key]) for row in history if key in row and "step" in row]
        xs, ys = zip(*points, strict=True)
        line = {"color": COLOURS[0]}
        chart.add_scatter(x=xs, y=ys, mode="lines", name=title, line=line, row=i // 2 + 1, col=i % 2 + 1)
    laid_out(chart, height=190 * height).update_layout(showlegend=False, margin={"t": 40})
    return chart.update_annotations(font={"size": 13, "color": "#737373"})


def snapshots_figure(snapshots: list[Card]) -> Any:
    """Return reward and rubric of RL's snapshots over the square root of their KL (Gao et al., arXiv:2210.10760)."""
    from plotly.subplots import make_subplots

    chart = make_subplots(specs=[[{"secondary_y": True}]])
    xs = [max(0.0, row["kl_per_token"]) ** 0.5 for row in snapshots]
    steps = [f"step {row['step']:.0f}" for row in snapshots]
    for key, colour, is_second in (("reward", COLOURS[0], False), ("rubric", COLOURS[1], True)):
        chart.add_scatter(
            x=xs,
            y=[row[key] for row in snapshots],
            text=steps,
            mode="lines+markers",
            name=key,
            line={"color": colour},
            secondary_y=is_second,
        )
    chart.update_xaxes(title="square root of KL to the SFT model, nats a token")
    chart.update_yaxes(title="reward", secondary_y=False)
    chart.update_yaxes(title="rubric, of 100", secondary_y=True)
    return laid_out(chart, height=380)


def laid_out(chart: Any, *, height: int) -> Any:
    """Give a figure the page's look: no background of its own, room for its labels."""
    chart.update_layout(
        height=height,
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        font={"color": "#737373"},
    )
    chart.update_xaxes(gridcolor="rgba(128,128,128,0.22)", zeroline=False, automargin=True)
    chart.update_yaxes(gridcolor="rgba(128,128,128,0.22)", zeroline=False, automargin=True)
    return chart


def figure(chart: Any, name: str) -> str:
    """Return a figure as HTML without plotly.js, which stands in the page once."""
    text: str = chart.to_html(full_html=False, include_plotlyjs=False, div_id=name, config={"displayModeBar": False})
    return text
