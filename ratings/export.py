"""python -m ratings.export: preference pairs from the ledger, for a reward model or DPO.

Each decided vote becomes one row in the conversational form that TRL's RewardTrainer and DPOTrainer
read unchanged, in train.jsonl or test.jsonl. Ties and both-bad votes are no pairs; they are counted,
as are votes whose replies are empty or the same.

The split goes by prompt, so none is on both sides: a prompt is a test prompt when its SHA-256, read
as a fraction, is below the test share. Prompts that differ only in case or spacing count as the
same. A prompt therefore stays on its side as the ledger grows. Where few prompts leave a file empty,
the prompt with the lowest hash goes to the test or the one with the highest to the training side.
"""

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, assert_never

from common.edge import run_command
from common.files import write_files
from common.options import Parser
from common.prompts import prompt_key
from common.words import plural
from ratings.cli import add_ledger
from ratings.errors import ExportError, OutputError, RatingsError
from ratings.ledger.access import open_ledger
from ratings.ledger.reader import read_preferences
from ratings.ledger.set_aside import read_set_aside
from ratings.outcomes import Outcome
from ratings.votes.collect import MISSING_OUTCOME, collect
from ratings.votes.votes import Preference, Record, is_blank
from ratings.votes.which import Which, choose
from ratings.which import add_which, read_which

TIE, BOTH_BAD = "tie", "both bad"
EMPTY_TEXT = "empty prompt or reply"
SAME_TEXT = "both replies the same"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or another with one line on stderr (common/edge.py)."""
    return run_command(lambda: _run(_parser().parse_args(argv)), (RatingsError,))


def _run(options: argparse.Namespace) -> list[str]:
    """Write the pairs and return the lines to print."""
    votes, left_out = choose_preferences(read_preferences(options.db), read_which(options))
    pairs, no_pairs = preference_pairs(votes, options.round)
    no_pairs.update(left_out)
    if not pairs:
        raise ExportError(f"{options.db}: no preference pairs: {_listed(no_pairs) or 'no votes'}")
    with open_ledger(options.db) as ledger:
        no_pairs.update(reason for _, reason in read_set_aside(ledger))
    train, test = split(pairs, options.test_share)
    paths = _write(options.out, {"train.jsonl": _lines(train), "test.jsonl": _lines(test)})
    lines = []
    for path, rows in zip(paths, (train, test), strict=True):
        prompts = len({_prompt_key(row) for row in rows})
        lines.append(f"wrote {path}: {plural(len(rows), 'pair')} on {plural(prompts, 'prompt')}")
    simulated = sum(row["source"] == "simulated" for row in pairs)
    total = len(pairs) + sum(no_pairs.values())
    lines.append(
        f"{plural(total, 'vote')} read: {plural(len(pairs), 'pair')} ({simulated} simulated), "
        f"{sum(no_pairs.values())} without a pair{f' ({_listed(no_pairs)})' if no_pairs else ''}"
    )
    return lines


def _write(folder: Path, texts: dict[str, str]) -> list[Path]:
    try:
        return write_files(folder, texts)
    except OSError as problem:
        raise OutputError(f"{folder}: cannot be written: {problem.strerror}") from None


def choose_preferences(votes: Iterable[Preference], which: Which) -> tuple[list[Preference], dict[str, int]]:
    """Return the votes that count, and the number of the others, by reason. Raises SettingsError as `choose` does."""
    given = list(votes)
    if not which.is_choice:
        return given, {}
    records = (
        Record(v.model_a, v.model_b, v.outcome, None, v.source == "simulated", time=v.time, where=str(number))
        for number, v in enumerate(given)
    )
    read = collect(records, keep_left_out=True)
    gone = {int(where) for where, _ in read.left_out_rows}
    usable = [vote for number, vote in enumerate(given) if number not in gone]
    chosen, place = choose(read, which)
    return [usable[number] for number in place], chosen.left_out


def preference_pairs(votes: Iterable[Preference], round_number: int = 1) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Return a row for each decided vote, and the number of votes that gave none, by reason.

    A row has prompt, chosen and rejected as lists of messages, margin (0.0: voters give no
    strength), battle_id, round, and source, "human" or "simulated"; all rows have all keys.
    """
    pairs: list[dict[str, Any]] = []
    no_pairs: Counter[str] = Counter()
    for vote in votes:
        preferred = _preferred(vote)
        if isinstance(preferred, str):
            no_pairs[preferred] += 1
            continue
        pairs.append(_row(vote, *preferred, round_number))
    return pairs, no_pairs


def split(pairs: Sequence[dict[str, Any]], test_share: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return training and test rows that share no prompt; neither is empty.

    Raises ExportError for a share outside (0, 1) and where there are fewer than two prompts.
    """
    if not 0 < test_share < 1:
        raise ExportError(f"the test share is {test_share}; give a share between 0 and 1, such as 0.2")
    fractions = {_prompt_key(row): _fraction(_prompt_key(row)) for row in pairs}
    prompts = sorted(fractions, key=lambda prompt: fractions[prompt])
    if len(prompts) < 2:
        those = "the only pair is" if len(pairs) == 1 else f"all {len(pairs)} pairs are"
        raise ExportError(
            f"{those} on one prompt, which cannot be on both sides of a split; collect votes on a second prompt"
        )
    below = sum(fraction < test_share for fraction in fractions.values())
    held_out = set(prompts[: min(max(below, 1), len(prompts) - 1)])
    train = [row for row in pairs if _prompt_key(row) not in held_out]
    return train, [row for row in pairs if _prompt_key(row) in held_out]


def _preferred(vote: Preference) -> tuple[str | None, str | None] | str:
    """Return the reply that was chosen and the one that was rejected, or why the vote is no pair."""
    match vote.outcome:
        case None:
            return MISSING_OUTCOME
        case Outcome.TIE:
            return TIE
        case Outcome.BOTH_BAD:
            return BOTH_BAD
        case Outcome.A_WINS:
            chosen, rejected = vote.reply_a, vote.reply_b
        case Outcome.B_WINS:
            chosen, rejected = vote.reply_b, vote.reply_a
        case unknown:
            assert_never(unknown)
    if any(map(is_blank, (vote.prompt, chosen, rejected))):
        return EMPTY_TEXT
    return SAME_TEXT if chosen == rejected else (chosen, rejected)


def _row(vote: Preference, chosen: str | None, rejected: str | None, round_number: int) -> dict[str, Any]:
    return {
        "prompt": [{"role": "user", "content": vote.prompt}],
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
        "margin": 0.0,
        "battle_id": vote.battle_id,
        "round": round_number,
        "source": vote.source,
    }


def _prompt_key(row: dict[str, Any]) -> str:
    return prompt_key(row["prompt"][-1]["content"])


def _fraction(text: str) -> float:
    """Return the first 52 bits of the SHA-256 of the text, as a number in [0, 1)."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:13], 16) / 16**13


def _lines(rows: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)


def _listed(reasons: Counter[str]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in reasons.items())


def _parser() -> Parser:
    parser = Parser(prog="python -m ratings.export", description="Write preference pairs from the votes of the arena.")
    add_ledger(parser, required=True)
    add_which(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="gets train.jsonl and test.jsonl")
    parser.add_argument("--format", choices=["trl"], default="trl", help="of the rows (default %(default)s)")
    parser.add_argument("--test-share", type=float, default=0.2, help="of the prompts (default %(default)s)")
    parser.add_argument("--round", type=int, default=1, help="number written on every row (default %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
