"""``import ratings``: what docs/python.md shows is what happens, and Python and the commands say the same."""

import ast
import doctest
import inspect
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ratings
from ratings import cli, compare, compute, export
from ratings.analysis import next_battle
from ratings.outcomes import Outcome
from ratings.votes.markdown import FEATURES
from tests.paths import ROOT

PAGE = ROOT / "docs" / "python.md"
VOTES = ROOT / "examples" / "own_votes" / "simulated_votes.csv"
ROWS = [
    ("large", "small", "model_a"),
    ("small", "large", "model_b"),
    ("small", "large", "model_a"),
    ("small", "large", "tie"),
    ("large", "small", "both_bad"),
    ("large", None, "model_a"),
    ("large", "large", "tie"),
    ("large", "small", None),
]
LEFT_OUT = {"missing model": 1, "self-battle": 1, "missing outcome": 1}


def defaults(function: Callable[..., object]) -> dict[str, Any]:
    """Return the default of each option that is given by name."""
    parameters = inspect.signature(function).parameters.values()
    return {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY}


def without_moment(text: str) -> str:
    """Return the JSON of a report without the moment at which each of its boards was made, and its command line."""
    return re.sub(r'"(created|command)": ("[^"]*"|null)', "", text)


def test_every_snippet_of_the_page_gives_the_output_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(VOTES.parent, tmp_path / "examples" / "own_votes")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    session = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, PAGE.name, None, 0)
    assert len(session.examples) > 20
    differences: list[str] = []
    assert doctest.DocTestRunner().run(session, out=differences.append).failed == 0, "".join(differences)


def test_importing_ratings_imports_nothing_heavy() -> None:
    code = (
        "import sys, ratings; dir(ratings); ratings.RatingsError; ratings.Outcome; ratings.rate\n"
        "print(*{'numpy', 'pandas', 'scipy', 'plotly', 'sqlite3'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_public_name_is_there_and_seen_by_editors() -> None:
    assert set(ratings.__all__) <= set(dir(ratings))
    for name in ratings.__all__:
        assert getattr(ratings, name).__module__.startswith("ratings")
    tree = ast.parse(Path(ratings.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = [name.name for node in block.body if isinstance(node, ast.ImportFrom) for name in node.names]
    assert sorted(seen) == sorted(ratings.__all__)
    with pytest.raises(AttributeError, match="no attribute 'reed_votes'"):
        ratings.reed_votes  # noqa: B018


def test_export_writes_what_the_command_writes(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    rows = [f"x,y,model_a,p{i},q,{'r' if i else 'q'}" for i in range(5)]
    path.write_text("\n".join(["model_a,model_b,winner,prompt,response_a,response_b", *rows]))
    done = ratings.export_pairs(path, tmp_path / "api", format="kto", round=3)
    assert (sum(done.files.values()), done.left_out) == (8, {"both replies the same": 1})
    command = ["--votes", str(path), "--out", str(tmp_path / "command"), "--format", "kto", "--round", "3"]
    assert export.main(command) == 0
    for name in ("train.jsonl", "test.jsonl"):
        assert (tmp_path / "api" / name).read_bytes() == (tmp_path / "command" / name).read_bytes()
    assert "5 votes read: 8 rows" in repr(done)
    with pytest.raises(ratings.ExportError, match="test share is 2"):
        ratings.export_pairs(path, tmp_path / "api", test_share=2)


def test_options_of_rate_are_those_of_the_command() -> None:
    command = vars(cli.parser().parse_args(["--votes", "votes.csv"]))
    for name in ("db", "votes", "out", "png", "list_left_out", "columns", "outcomes"):
        del command[name]
    chosen = {"method": "bradley-terry", "both_bad": "tie", "confidence": 0.95, "seed": 0}
    assert {name: command[name] for name in chosen} == dict.fromkeys(chosen)  # what is given at its default is given
    assert defaults(ratings.rate) == {**command, **chosen, "category": (), "style": False}


def test_options_of_the_other_functions_have_the_defaults_of_the_modules() -> None:
    own = defaults(compare.compare)
    assert (own.pop("votes"), own.pop("voters")) == (None, None)
    assert defaults(ratings.compare_models) == own
    assert defaults(ratings.next_battles) == {
        "newcomers": (),
        "confidence": 0.95,
        "both_bad": "tie",
        "exploration": next_battle.EXPLORATION,
        "sharpness": next_battle.SHARPNESS,
    }


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ([], {}),
        (["--interval", "clustered", "--cluster", "prompt"], {"interval": "clustered", "cluster": "prompt"}),
        (["--style", "--position", "--voters"], {"style": True, "position": True, "voters": True}),
        (["--weights", "--anchor", "base=900.5", "--no-fragility"], {"weights": True, "anchor": ("base", 900.5)}),
        (["--category", "facts", "--by", "day"], {"category": "facts", "by": "day"}),
        (["--method", "elo", "--elo-shuffles", "3", "--seed", "5"], {"method": "elo", "elo_shuffles": 3, "seed": 5}),
    ],
)
def test_board_of_a_ledger_is_that_of_the_command(
    full_ledger: Path, tmp_path: Path, words: list[str], options: dict[str, Any]
) -> None:
    if "--no-fragility" in words:
        options = {**options, "fragility": False}
    assert compute.main(["--db", str(full_ledger), "--out", str(tmp_path), *words]) == 0
    written = (tmp_path / "leaderboard.json").read_text(encoding="utf-8")
    assert without_moment(ratings.rate(full_ledger, **options).to_json()) == without_moment(written)


def test_board_of_a_file_is_that_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = tmp_path / "models.yaml"
    models.write_text("contestants: [{name: sft, parent: base}, {name: base}]", encoding="utf-8")
    words = ["--category", "all", "--choose", "--models", str(models)]
    assert compute.main(["--votes", str(VOTES), *words]) == 0
    board = ratings.rate(str(VOTES), category=["all"], choose=True, models=models)
    assert repr(board) == capsys.readouterr().out.rstrip("\n")


@pytest.mark.parametrize(
    "votes",
    [
        ROWS,
        iter(ROWS),
        [{"model_a": a, "model_b": b, "winner": outcome} for a, b, outcome in ROWS],
        [(a, b, outcome and Outcome(outcome)) for a, b, outcome in ROWS],
        pd.DataFrame(ROWS, columns=["left", "right", "winner"]),
        {name: [row[i] for row in ROWS] for i, name in enumerate(("model_a", "model_b", "winner"))},
    ],
    ids=["tuples", "iterator", "dicts", "outcomes", "frame", "columns"],
)
def test_rows_in_any_form_are_the_same_votes(votes: Any) -> None:
    found = ratings.read_votes(votes)
    assert (len(found), found.models, found.left_out) == (5, ("large", "small"), LEFT_OUT)
    assert found.counts.outcomes.sum(axis=0).tolist() == [2, 1, 1, 1]
    assert found.left_out_rows == (
        ("row 6", "missing model"),
        ("row 7", "self-battle"),
        ("row 8", "missing outcome"),
    )


def test_votes_that_were_read_are_read_no_second_time() -> None:
    votes = ratings.read_votes(VOTES)
    assert ratings.read_votes(votes) is votes
    assert str(VOTES) in repr(votes)
    assert "355 votes on 5 models, 5 left out (5 missing outcome)" in repr(votes)


def test_ledger_is_read_again_at_each_use(full_ledger: Path, tmp_path: Path) -> None:
    path = tmp_path / "arena.db"
    shutil.copyfile(full_ledger, path)
    votes = ratings.read_votes(path)
    before = len(votes)
    assert "simulated" in repr(votes)
    with closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.execute(
            "INSERT INTO votes SELECT 'new', created, visitor, model_a, model_b, 'tie', probability, source, category "
            "FROM votes LIMIT 1"
        )
    assert len(votes) == before + 1
    assert ratings.rate(votes).leaderboard.used == before + 1
    assert len(votes.left_out_rows) == sum(votes.left_out.values()) == 12


@pytest.mark.parametrize(
    ("votes", "error", "message"),
    [
        (3, ratings.VotesError, "int is not votes"),
        ([("a", "b")], ratings.VotesError, r"rows of \(model_a, model_b, outcome\)"),
        ([1, 2], ratings.VotesError, "list is not votes"),
        (pd.DataFrame([ROWS[0]], columns=["a", "a", "winner"]), ratings.VotesError, "column 'a' stands twice"),
        ({"winner": ["model_a"]}, ratings.VotesError, "no votes in these columns: winner"),
        ([("a", "b", "c")], ratings.UnknownOutcomeError, "row 1: unknown outcome 'c'"),
        ([(["m"], 2, "tie")], ratings.VotesError, "model .*m.* is not a name"),
        ("no_such_file.csv", ratings.VotesError, "no such file"),
        (ROOT, ratings.VotesError, "is a directory"),
    ],
)
def test_what_is_no_votes_is_refused_in_one_line(votes: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as refused:
        ratings.read_votes(votes)
    assert "\n" not in str(refused.value)
    assert isinstance(refused.value, ratings.RatingsError)


def test_file_that_is_no_ledger_of_votes_is_refused_when_it_is_read(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as other, other:
        other.execute("CREATE TABLE songs (title TEXT)")
    with pytest.raises(ratings.VotesError, match="votes does not exist"):
        ratings.read_votes(tmp_path / "other.db")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "elo", "prior": 400}, "method elo and prior contradict each other"),
        ({"method": "elo", "both_bad": "loss-to-the-field"}, "method elo and both_bad loss-to-the-field contradict"),
        ({"elo_shuffles": 1}, "elo_shuffles is 1"),
        ({"by": "month"}, "by is 'month'; choose one of day, week"),
        ({"method": "trueskill"}, "method is 'trueskill'"),
        ({"anchor": "base"}, "anchor is 'base'"),
        ({"anchor": ("base", "high")}, "anchor is 'base=high'"),
        ({"anchor": ["best", np.float64(1000)]}, "anchor 'best' is not a rated model"),
        ({"category": "sums"}, "no votes in a category 'sums'"),
    ],
)
def test_options_that_cannot_be_are_refused_as_python_spells_them(options: Any, message: str) -> None:
    with pytest.raises(ratings.SettingsError, match=message) as refused:
        ratings.rate(VOTES, **options)
    assert "--" not in str(refused.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ratings.rate(ROWS, confidence="0.9"), "confidence is '0.9'; give a number"),
        (lambda: ratings.rate(ROWS, prior="x"), "prior is 'x'; give a number"),
        (lambda: ratings.rate(ROWS, seed=1.5), "seed is 1.5; give a whole number"),
        (lambda: ratings.rate(ROWS, min_votes=True), "min_votes is True; give a whole number"),
        (lambda: ratings.compare_models(ROWS, "a", 3), "3 is no name of a model"),
        (lambda: ratings.Ticker({"a": float("nan")}), "give a finite number of points"),
        (lambda: ratings.Ticker("abc"), "give a finite number of points"),
        (lambda: ratings.Ticker().update("a", "b", "x"), "outcome is 'x'"),
    ],
)
def test_values_of_another_type_are_refused_in_one_line(call: Any, message: str) -> None:
    with pytest.raises(ratings.SettingsError, match=message):
        call()


def test_newcomer_may_be_one_name() -> None:
    assert "grpo" in set(ratings.next_battles(ROWS, newcomers="grpo")[["model_a", "model_b"]].to_numpy().ravel())


def test_several_files_are_one_set_of_votes(tmp_path: Path) -> None:
    for name in ("1.csv", "2.csv"):
        (tmp_path / name).write_text("model_a,model_b,winner\nx,y,A\ny,x,A\n" + ("x,y,tie\n" if name[0] == "1" else ""))
    votes = ratings.read_votes([tmp_path / "1.csv", str(tmp_path / "2.csv")])
    assert len(votes) == 5
    assert len(votes.files) == 2


def test_nobody_to_rate_is_an_error() -> None:
    with pytest.raises(ratings.NoVotesError):
        ratings.rate([])
    with pytest.raises(ratings.TooFewModelsError):
        ratings.rate([("large", "large", "tie")])


def test_what_rows_cannot_say_is_noted_or_refused() -> None:
    assert "style: rows: holds no replies to measure" in ratings.rate(ROWS, style=True).notes[1]
    with pytest.raises(ratings.VotesError, match="rows: no vote records the chance"):
        ratings.rate(ROWS, weights=True)


def test_notebook_shows_a_table_in_which_names_are_text() -> None:
    board = ratings.rate([("<b>big</b>", "small", "model_a"), ("small", "<b>big</b>", "model_a")])
    shown = board._repr_html_()
    assert shown.count("<table") == 1
    assert "&lt;b&gt;big" in shown
    assert "<b>big" not in shown
    assert "2 votes read" in shown


def test_notebook_shows_notes_as_text() -> None:
    columns = ("model_a", "model_b", "winner", "language")
    rows = [(*row, "English") for row in ROWS[:3]] + [
        ("small", "other", "tie", "<i>"),
        ("other", "small", "tie", "<i>"),
    ]
    votes = {name: [row[i] for row in rows] for i, name in enumerate(columns)}
    board = ratings.rate(votes, category="all", anchor=("large", 1000))
    assert "category language=<i>: large has no rating here, so this board is not anchored" in board.notes
    assert "<p>category language=&lt;i&gt;: large has no rating" in board._repr_html_()


def test_frame_and_page_hold_every_model() -> None:
    board = ratings.rate(VOTES)
    frame = board.to_frame()
    assert frame["model"].tolist() == [row.model for row in board.rows] == ["rlhf", "dpo", "sft", "sft-lora", "base"]
    assert all(model in board.to_html() for model in frame["model"])
    assert board.to_html().startswith("<!doctype html>")


@pytest.mark.parametrize("method", ["bradley-terry", "davidson", "elo"])
def test_chances_of_both_sides_of_a_battle_sum_to_one(method: Any) -> None:
    board = ratings.rate([*ROWS, ("new", "new", "tie")], method=method)
    chances = board.win_chances()
    assert list(chances.index) == list(chances.columns) == ["large", "small"]
    assert (chances + chances.T).to_numpy() == pytest.approx(np.ones((2, 2)))
    assert chances.loc["large", "small"] > 0.5


def test_writing_keeps_every_snapshot_and_says_what_changed(tmp_path: Path) -> None:
    board = ratings.rate(ROWS)
    first, second = board.write(tmp_path / "boards"), board.write(str(tmp_path / "boards"))
    assert {path.name for path in first} == {"leaderboard.json", "leaderboard.csv", "leaderboard.html"}
    assert all(path.is_file() for path in first + second)
    assert len({*first, *second}) == 6
    assert json.loads(first[0].read_text(encoding="utf-8"))["changes"] is None
    assert json.loads(second[0].read_text(encoding="utf-8"))["changes"]["new_votes"] == 0
    (tmp_path / "file").touch()
    with pytest.raises(ratings.OutputError):
        board.write(tmp_path / "file")


def test_comparison_is_that_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main(["rlhf", "base", "--votes", str(VOTES)]) == 0
    comparison = ratings.compare_models(VOTES, "rlhf", "base")
    assert repr(comparison) == capsys.readouterr().out.rstrip("\n")
    assert comparison.answer == "first"
    assert comparison.lower < comparison.points < comparison.upper
    ratings_of = {row.model: row.rating for row in ratings.rate(VOTES).rows}
    assert comparison.points == pytest.approx(ratings_of["rlhf"] - ratings_of["base"])
    assert f"{comparison.lower:+.0f} to {comparison.upper:+.0f}" in repr(comparison)


def test_next_battles_are_every_pair_once_with_chances_that_sum_to_one() -> None:
    battles = ratings.next_battles(VOTES, newcomers=["new"])
    assert len({frozenset(pair) for pair in zip(battles["model_a"], battles["model_b"], strict=True)}) == 15
    assert battles["chance"].sum() == pytest.approx(1)
    assert battles["chance"].is_monotonic_decreasing
    assert battles["votes"].sum() == 355
    with_new = battles[(battles["model_a"] == "new") | (battles["model_b"] == "new")]
    assert (with_new["votes"] == 0).all()
    assert with_new["chance"].tolist() == pytest.approx([battles["chance"].max()] * 5)
    assert len(battles.sample(2, weights="chance", random_state=1)) == 2


def test_next_battles_before_the_first_vote_are_drawn_alike() -> None:
    battles = ratings.next_battles([], newcomers=["a", "b", "c"])
    assert battles["chance"].tolist() == pytest.approx([1 / 3] * 3)
    with pytest.raises(ratings.TooFewModelsError):
        ratings.next_battles([], newcomers=["a"])
    with pytest.raises(ratings.SettingsError, match="exploration"):
        ratings.next_battles(ROWS, exploration=2)


def test_style_takes_all_features_or_some_and_a_title_stands_over_the_page(full_ledger: Path) -> None:
    for chosen, names in ((True, FEATURES), ("length,lists", ("length", "lists")), (["lists"], ("lists",))):
        fitted = ratings.rate(full_ledger, style=chosen).report.style
        assert fitted is not None
        assert fitted.names == names
    with pytest.raises(ratings.SettingsError, match="'italics'; choose some of length"):
        ratings.rate(full_ledger, style=["italics"])
    assert "<title>Our board</title>" in ratings.rate(full_ledger, title="Our board").to_html()
