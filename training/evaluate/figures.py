"""The figures of the report card, and the alarms of a run of RL."""

from typing import Any

from training.evaluate.limits import CUT_LIMIT, KL_LIMIT
from training.evaluate.table import Card, label_of

COLOURS = ("#0b7bc0", "#d9822b", "#0a9e74", "#cc79a7", "#56b4e9", "#d55e00", "#8f7ad1", "#8a8a84")
WATCHED = (  # what a trainer of RL logs, and when it is an alarm
    ("reward", "reward"),
    ("kl", "KL to SFT, nats per token"),
    ("entropy", "entropy, nats per token"),
    ("completions/mean_length", "length, tokens"),
    ("completions/clipped_ratio", "share cut off"),
    ("frac_reward_zero_std", "groups without spread"),
)
ENTROPY_ALARM = 0.5  # of the first entropy
FLAT_ALARM = 0.5  # of the groups


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
    """Return what went wrong during RL, in words; each is a sign that reward has been gained at a price."""
    last = {key: [row[key] for row in history if key in row] for key, _ in WATCHED}
    alarms = []
    if last["kl"] and max(last["kl"]) > KL_LIMIT:
        alarms.append(f"KL reached {max(last['kl']):.2f} nats per token (limit {KL_LIMIT}): raise rl.beta")
    if (cut := last["completions/clipped_ratio"]) and cut[-1] > max(CUT_LIMIT, cut[0]):
        alarms.append(f"{cut[-1]:.0%} of the last replies were cut off, {cut[0]:.0%} of the first")
    if (entropy := last["entropy"]) and entropy[-1] < ENTROPY_ALARM * entropy[0]:
        alarms.append(f"entropy fell from {entropy[0]:.2f} to {entropy[-1]:.2f} nats per token: replies vary less")
    if (flat := last["frac_reward_zero_std"]) and flat[-1] > FLAT_ALARM:
        alarms.append(
            f"{flat[-1]:.0%} of the last groups had one reward for all replies, from which nothing can be learnt"
        )
    return alarms


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
    chart.update_xaxes(title="square root of KL to the SFT model, nats per token")
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
