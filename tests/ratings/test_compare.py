"""The command: the same answer from a ledger and a file, and one line for what cannot be answered."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ratings.analysis.comparison import compare
from ratings.compare import describe, main
from ratings.votes.counts import Counts
from tests.ratings.helpers.examples import counts_of

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
