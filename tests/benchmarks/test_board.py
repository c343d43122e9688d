"""Synthetic voters on the arena's battles: they see what the rubric sees, on either side, and add to no ledger."""

from pathlib import Path
from random import Random

import pytest
from sqlite_utils import Database

from arena.backends.base import Reply
from arena.battle import Battle
from arena.pairing import Draw
from benchmarks.board import judge, main
from ratings.outcomes import Outcome
from training.data.corpus import Corpus
from training.data.rubric import Rubric
from training.recipe import load_recipe

MODELS = """
contestants:
  - {{name: base, stage: base, path: {family}/base, prompt: {{style: few-shot, examples: [{{question: a, answer: b}}]}},
     sampling: {{max_tokens: 24}}}}
  - {{name: sft, stage: sft, parent: base, path: {family}/sft, prompt: {{style: chat}}, sampling: {{max_tokens: 24}}}}
"""


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
    assert judge(battle, example, Rubric(corpus.tasks, corpus.vocabulary), Random(0), 0.0) is outcome


def test_a_ledger_that_exists_is_not_added_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = tmp_path / "votes.db"
    ledger.write_bytes(b"people's")
    assert main(["--db", str(ledger)]) == 2
    assert str(ledger) in capsys.readouterr().err
    assert ledger.read_bytes() == b"people's"


@pytest.mark.slow
def test_a_seed_makes_the_same_battles_and_simulated_votes_again(tiny_family: Path, tmp_path: Path) -> None:
    models = tmp_path / "models.yaml"
    models.write_text(MODELS.format(family=tiny_family), encoding="utf-8")
    query = "SELECT model_a, model_b, prompt, reply_a, reply_b, outcome, source FROM preferences"
    rows = {}
    for name, seed in [("first", 0), ("again", 0), ("other", 1)]:
        ledger = tmp_path / f"{name}.db"
        words = ["--battles", "5", "--recipe", "nano", "--models", models, "--db", ledger, "--seed", seed]
        assert main([str(word) for word in words]) == 0
        rows[name] = list(Database(ledger).query(query))
    assert rows["first"] == rows["again"] != rows["other"]
    assert len(rows["first"]) == 5
    assert {row["source"] for row in rows["first"]} == {"simulated"}
