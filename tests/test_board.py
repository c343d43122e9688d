"""Synthetic voters on the arena's battles: they see what the rubric sees, on either side, and add to no ledger."""

from pathlib import Path
from random import Random

import pytest

from arena.backends import Reply
from arena.battle import Battle
from arena.matchmaking import Draw
from benchmarks.board import judge, main
from ratings.outcomes import Outcome
from training.data.corpus import Corpus
from training.data.rubric import Rubric
from training.recipe import load_recipe


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [
        ("{right}", "", Outcome.A_WINS),
        ("", "{right}", Outcome.B_WINS),
        ("{right}", "{right}", Outcome.TIE),
        ("", "fox fox fox fox fox fox", Outcome.BOTH_BAD),
    ],
)
def test_the_better_reply_gets_the_vote(a: str, b: str, outcome: Outcome) -> None:
    recipe = load_recipe("nano")
    corpus = Corpus(recipe.data, recipe.seed)
    example = corpus.heldout(1)[0]
    battle = Battle("voter", example.prompt, Draw("one", "other", 1.0))
    battle.finish("a", Reply(a.format(right=example.reply), "end", 3, 5, 0.1, 0.01, {}))
    battle.finish("b", Reply(b.format(right=example.reply), "end", 3, 5, 0.1, 0.01, {}))
    assert judge(battle, example, Rubric(corpus.families, corpus.vocabulary), Random(0), 0.0) is outcome


def test_a_ledger_that_exists_is_not_added_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = tmp_path / "votes.db"
    ledger.write_bytes(b"people's")
    assert main(["--db", str(ledger)]) == 2
    assert str(ledger) in capsys.readouterr().err
    assert ledger.read_bytes() == b"people's"
