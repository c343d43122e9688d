"""The command: the same answer from a ledger and a file, and one line for what cannot be answered."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from ratings.analysis.comparison import compare
from ratings.compare import describe, main
from ratings.votes.counts import Counts
from tests.ratings.helpers.examples import counts_of
from tests.ratings.helpers.ledgers import new_ledger, store_battle

MakeLedger = Callable[..., Path]


def test_ledger_and_file_tell_the_same_answer(
    make_ledger: MakeLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    votes = [("sft", "base", "model_a")] * 120 + [("base", "sft", "model_a")] * 40 + [("sft", "base", "tie")] * 10
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner\n" + "".join(",".join(row) + "\n" for row in votes))
    for source in (["--db", str(make_ledger(votes))], ["--votes", str(path)]):
        assert main(["sft", "base", "--cluster", "none", *source]) == 0
        said = capsys.readouterr().out
        assert "sft against base: +" in said
        assert "Rests on 170 votes, 170 of them between the two." in said
        assert "Answer so far: sft is better." in said


VOTES = [("a", "b", "model_a"), ("b", "a", "model_a"), ("c", "a", "model_a"), ("d", "e", "tie")]
TROUBLES = {
    "unknown": (["a", "aa"], "no votes on a model 'aa'; there are votes on 'a'"),
    "itself": (["a", "a"], "'a' cannot be compared with itself"),
    "unbounded": (["a", "c"], "'c' has no rating to compare: unbounded: never lost or tied"),
    "apart": (["a", "d"], "'d' has no rating to compare: "),
    "confidence": (["a", "b", "--confidence", "95"], "confidence is 95.0"),
    "horizon": (["a", "b", "--horizon", "0"], "horizon is 0.0"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_is_one_line_and_status_2(
    make_ledger: MakeLedger, capsys: pytest.CaptureFixture[str], trouble: str
) -> None:
    arguments, message = TROUBLES[trouble]
    assert main([*arguments, "--db", str(make_ledger(VOTES))]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"error: {message}")
    assert said.err.count("\n") == 1


def test_missing_and_empty_sources_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none.csv").write_text("model_a,model_b,winner\n")
    for source in (["--db", str(tmp_path / "none.db")], ["--votes", str(tmp_path / "none.csv")]):
        assert main(["a", "b", *source]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_name_with_an_escape_is_printed_as_text() -> None:
    counts = counts_of([[0, 300], [100, 0]])
    told = compare(Counts(("a\x1b[2J", "b"), counts.pairs, counts.outcomes, counts.read), "a\x1b[2J", "b")
    assert "\x1b" not in describe(told, 0.95)


def ledger_of(path: Path, visitors: list[str], source: str) -> Path:
    """Return a ledger in which everybody prefers sft to base four times in five."""
    luck = random.Random(1)
    with new_ledger(path) as ledger:
        for i, visitor in enumerate(visitors):
            outcome = "model_b" if luck.random() < 0.2 else "model_a"
            vote = (f"b{i}", "2030-01-01", visitor, "sft", "base", outcome, 0.5, source, "")
            store_battle(ledger, vote, (f"prompt {i % 25}", "left", "right"))
    return path


@pytest.mark.parametrize(
    ("voters", "source", "said", "answer"),
    [
        (40, "human", "Votes grouped by 40 voters.", "sft is better"),
        (40, "simulated", "Votes grouped by 40 voters.", "sft is better"),
        (1, "simulated", "Every vote taken as independent: a program cast them.", "sft is better"),
        (1, "human", "1 voter is too few to group by; it takes 10.", "too early"),
        (9, "human", "9 voters are too few to group by; it takes 10.", "too early"),
    ],
)
def test_who_cast_the_votes_decides_how_they_are_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], voters: int, source: str, said: str, answer: str
) -> None:
    path = ledger_of(tmp_path / "votes.db", [f"v{i % voters}" for i in range(360)], source)
    assert main(["sft", "base", "--db", str(path)]) == 0
    printed = capsys.readouterr().out
    assert said in printed
    assert f"Answer so far: {answer}" in printed


def test_comparison_can_group_by_prompt_or_by_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = ledger_of(tmp_path / "votes.db", [f"v{i % 3}" for i in range(360)], "human")
    for cluster, said in (("prompt", "Votes grouped by 25 prompts."), ("none", "independent, as asked for.")):
        assert main(["sft", "base", "--db", str(path), "--cluster", cluster]) == 0
        printed = capsys.readouterr().out
        assert said in printed
        assert "sft is better" in printed
