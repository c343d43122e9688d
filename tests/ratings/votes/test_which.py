"""Which votes count: every choice leaves out what it names, counts it, says so, and refuses what matches nothing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratings import compare_models, rate
from ratings.compare import main as compare
from ratings.compute import main
from ratings.errors import SettingsError
from ratings.export import main as export
from ratings.outcomes import Outcome
from ratings.votes.collect import collect
from ratings.votes.votes import Record
from ratings.votes.which import Which, choose

DAY = 86_400.0
MODELS, LANGUAGES = ("a", "b", "c", "a-old"), ("English", "German", "")


def frame(votes: int = 240) -> dict[str, list[Any]]:
    """Return votes as columns of a public data set, a third of a day apart."""
    rng = np.random.default_rng(5)
    sides = np.array([rng.choice(4, 2, replace=False) for _ in range(votes)])
    return {
        "model_a": [MODELS[i] for i in sides[:, 0]],
        "model_b": [MODELS[i] for i in sides[:, 1]],
        "winner": [str(w) for w in rng.choice(["model_a", "model_b", "tie"], votes)],
        "tstamp": [None if i % 12 == 0 else 1.9e9 + i * DAY / 3 for i in range(votes)],
        "language": [LANGUAGES[i % 3] for i in range(votes)],
    }


def write(path: Path) -> Path:
    path.write_text(
        "\n".join(json.dumps(dict(zip(frame(), row, strict=True))) for row in zip(*frame().values(), strict=True))
    )
    return path


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.sampled_from("abcd"),
            st.sampled_from(list(Outcome)),
            st.booleans(),
            st.one_of(st.none(), st.sampled_from([0.0, 30.0, 60.0]), st.floats(0, 100)),
            st.sampled_from(["x", "y", ""]),
        ),
        min_size=1,
        max_size=30,
    ),
    st.builds(
        Which,
        by=st.sampled_from([None, "human", "simulated", "all"]),
        since=st.sampled_from([None, 0.0, 30.0]),
        until=st.sampled_from([None, 60.0]),
        languages=st.sampled_from([(), ("x",), ("X", "y")]),
        without=st.sampled_from([(), ("d",)]),
        aliases=st.sampled_from([(), (("a", "b"),), (("a", "new"), ("b", "new"))]),
        min_votes=st.integers(0, 3),
    ),
)
def test_choosing_is_what_it_says_row_by_row(rows: list[tuple[Any, ...]], which: Which) -> None:
    votes = collect(
        Record(a, b, outcome, None, simulated, time=time, categories=(f"language={name}",) if name else ())
        for a, b, outcome, simulated, time, name in rows
    )
    try:
        found, place = choose(votes, which)
    except SettingsError:
        return
    assert found.read == len(rows) == found.used + sum(found.left_out.values())
    renamed = dict(which.aliases)
    usable = [row for row in rows if row[0] != row[1]]
    kept = [usable[i] for i in place]
    for row, a, b in zip(kept, found.a, found.b, strict=True):
        names = [renamed.get(name, name) for name in row[:2]]
        assert names == [found.models[a], found.models[b]]
        assert not set(names) & set(which.without)
        assert names[0] != names[1]
        assert which.by in (None, "all") or row[3] == (which.by == "simulated")
        assert not which.has_times or row[4] is not None
        assert which.since is None or row[4] >= which.since
        assert which.until is None or row[4] < which.until
        assert not which.languages or row[5] in [name.lower() for name in which.languages]
    assert found.simulated == sum(row[3] for row in kept)
    number = np.bincount(np.concatenate([found.a, found.b]), minlength=len(found.models))
    assert (number[number > 0] >= which.min_votes).all()
    if not which.min_votes:  # nobody else is left out
        assert len(kept) == sum(
            (which.by in (None, "all") or row[3] == (which.by == "simulated"))
            and (not which.has_times or (row[4] is not None))
            and (which.since is None or row[4] >= which.since)
            and (which.until is None or row[4] < which.until)
            and (not which.languages or row[5] in [name.lower() for name in which.languages])
            and not {renamed.get(row[0], row[0]), renamed.get(row[1], row[1])} & set(which.without)
            and renamed.get(row[0], row[0]) != renamed.get(row[1], row[1])
            for row in usable
        )


def test_the_first_moment_counts_and_the_last_does_not() -> None:
    votes = collect(Record("a", "b", Outcome.TIE, time=time) for time in (29.0, 30.0, 59.0, 60.0, None))
    found, place = choose(votes, Which(since=30.0, until=60.0))
    assert place.tolist() == [1, 2]
    assert found.left_out == {"no time": 1, "cast at another time": 2}


def test_board_records_the_choice_and_what_it_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = write(tmp_path / "votes.jsonl"), tmp_path / "out"
    chosen = "--since 2030-03-20 --until 2030-05-01 --languages english,German --alias a-old=a --without c --out"
    assert main(["--votes", str(path), *chosen.split(), str(out)]) == 0
    board = json.loads((out / "leaderboard.json").read_text())
    votes, settings = board["votes"], board["settings"]
    assert votes["read"] == 240 == votes["used"] + sum(votes["left_out"].values())
    assert set(votes["left_out"]) == {
        "self-battle",
        "contestant left out",
        "no time",
        "cast at another time",
        "another language",
    }
    assert settings["since"] == "2030-03-20T00:00:00Z"
    assert settings["until"] == "2030-05-01T00:00:00Z"
    assert (settings["languages"], settings["without"], settings["merged"]) == ("english, German", "c", "a-old as a")
    assert {row["model"] for row in board["rows"]} == {"a", "b"}
    capsys.readouterr()
    assert compare(["a", "b", "--votes", str(path), *chosen.split()[:-1]]) == 0
    assert f"Rests on {votes['used']} votes" in capsys.readouterr().out
    options: dict[str, Any] = {
        "since": "2030-03-20",
        "until": "2030-05-01",
        "languages": ["english", "German"],
        "alias": {"a-old": "a"},
    }
    assert rate(frame(), without="c", **options).leaderboard.used == votes["used"]
    assert compare_models(frame(), "a", "b", without=["c"], **options).votes == votes["used"]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("--votes-by simulated", "no votes by simulated; all 240 are human"),
        ("--since 2040-01-01", "there are votes from 2030-03-18"),
        ("--since 2030", "--since is '2030'; give a date or time"),
        ("--since 2031-01-01 --until 2030-01-01", "no time at all"),
        ("--until soon", "--until is 'soon'"),
        ("--languages Latin", "no votes in a language 'Latin'; there are 'English', 'German'"),
        ("--languages English,", "an empty name"),
        ("--without z", "no contestant to leave out 'z'; there are 'a', 'a-old', 'b', 'c'"),
        ("--alias z=a", "no alias of a contestant 'z'"),
        ("--alias a-old", "--alias is 'a-old'"),
        ("--alias a=b b=c", "leads nowhere"),
        ("--alias a=b --without a", "left out and merged"),
        ("--min-votes -1", "min votes is -1"),
        ("--min-votes 100000", "no vote is left of those chosen"),
        ("--dedup", "no vote is marked"),
    ],
)
def test_choice_that_matches_nothing_is_one_line_with_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], chosen: str, message: str
) -> None:
    path = write(tmp_path / "votes.jsonl")
    for command, names in ((main, []), (compare, ["a", "b"])):
        assert command([*names, "--votes", str(path), *chosen.split()]) == 2
        said = capsys.readouterr()
        assert message in said.err
        assert said.err.count("\n") == 1
        assert said.out == ""


def test_people_and_programs_on_one_board_are_never_mixed_silently(
    full_ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {}
    for by in ("", "human", "simulated", "all"):
        for command, names in ((main, []), (compare, ["sft", "rlhf"])):
            assert command([*names, "--db", str(full_ledger), *(["--votes-by", by] if by else [])]) == 0
            said[by] = said.get(by, "") + " ".join(capsys.readouterr().out.split())
    assert said[""].count("votes are simulated and count as those of people do") == 2
    assert "count as those of people do" not in said["human"] + said["simulated"] + said["all"]
    assert "0 simulated" in said["human"]
    assert "simulated: " in said["human"]
    assert "human: " in said["simulated"]


def test_pairs_are_those_of_the_votes_that_count(
    full_ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["--votes-by", "human", "--without", "base", "--since", "2030-01-05", "--until", "2030-01-15"]
    assert export(["--db", str(full_ledger), "--out", str(tmp_path), *chosen]) == 0
    said = capsys.readouterr().out
    files = [tmp_path / name for name in ("train.jsonl", "test.jsonl")]
    rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert {row["source"] for row in rows} == {"human"}
    kept = {int(row["battle_id"][1:]) for row in rows}
    assert 4 * DAY <= min(kept) * 3000 <= max(kept) * 3000 < 14 * DAY
    assert all(words in said for words in ("simulated", "contestant left out", "cast at another time"))
    assert said.splitlines()[-1].startswith("600 votes read")
    assert export(["--db", str(full_ledger), "--out", str(tmp_path), "--without", "nobody"]) == 2
    assert "there are 'base'" in capsys.readouterr().err


def test_styles_prompts_and_categories_are_those_of_the_votes_that_count(full_ledger: Path) -> None:
    options: dict[str, Any] = {"style": True, "category": "all", "interval": "clustered", "cluster": "prompt"}
    board = rate(full_ledger, votes_by="human", **options)
    assert board.report.style is not None
    assert board.leaderboard.simulated == 0
    within = sum(table.used for table in board.report.categories.values())
    assert 0 < within < board.leaderboard.used


def test_repeated_prompts_are_left_out_where_the_file_marks_them(tmp_path: Path) -> None:
    rows = [
        {
            "model_a": "a",
            "model_b": "b",
            "winner": "model_a" if i % 2 else "model_b",
            "dedup_tag": {"high_freq": i % 3 == 0, "sampled": i % 6 == 0},
        }
        for i in range(60)
    ]
    path = tmp_path / "votes.json"
    path.write_text(json.dumps(rows))
    board = rate(str(path), dedup=True).leaderboard
    assert board.left_out == {"over-frequent prompt": 10}
    assert board.used == 50
