"""The main figures of checkpoints side by side: which there are, what they are called and how they are written.

The keys are those of report.json, where "family" and "exact_by_family" are as they have always been.
"""

from typing import Any

Card = dict[str, Any]
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
    ("distinct_1", "Distinct-1 (8 samples per prompt)", "{:.3f}"),
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
    ("heldout.kl_per_token", "KL to SFT, nats per token", "{:.3f}"),
)


def text_table(cards: list[Card]) -> str:
    """Return the main figures as plain text for the terminal, one figure per line."""
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
    """Return the name of a checkpoint on the page: family/folder."""
    return f"{card['family']}/{card['name']}"


def look_up(card: Card, key: str) -> Any:
    """Return a figure by its dotted key, None where the card has none."""
    value: Any = card
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
