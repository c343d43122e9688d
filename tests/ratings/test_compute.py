"""The command: what it prints and writes, run after run."""

import csv
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from common import files as output
from ratings import compute
from ratings.board.leaderboard import Settings, build
from ratings.cli import parser, read_request
from ratings.compute import main
from ratings.fit.bradley_terry import fit
from ratings.fit.prior import Prior
from ratings.ledger.reader import read_ledger
from ratings.report.folder import list_snapshots
from ratings.report.sources import Needs, read_ledger_source
from ratings.scale import POINTS_PER_NAT

MakeLedger = Callable[..., Path]

HEADER = "model_a,model_b,winner\n"
VOTES = [("a", "b", "model_a"), ("b", "a", "model_a"), ("a", "b", "both_bad"), ("b", "a", "tie")]


@pytest.fixture(autouse=True)
def quick_page(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Spare the figures where a test does not look at the page."""
    if "whole_page" not in request.fixturenames:
        page = "ratings.report.html.page.report_html"
        monkeypatch.setattr(page, lambda report, beside: f"<p>{len(report.board.rows)} models</p>")


@pytest.fixture
def whole_page() -> None:
    """Make the page as it is."""


def told(*arguments: str | Path, out: Path) -> dict[str, Any]:
    """Run the command and return its JSON."""
    assert main([*map(str, arguments), "--out", str(out)]) == 0
    board: dict[str, Any] = json.loads((out / "leaderboard.json").read_text(encoding="utf-8"))
    return board


@pytest.mark.parametrize("method", ["bradley-terry", "elo"])
def test_three_files_and_a_table_tell_the_same_board(
    make_ledger: MakeLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str], whole_page: None, method: str
) -> None:
    out = tmp_path / "board" / "today"
    board = told("--db", make_ledger(VOTES), "--method", method, out=out)
    (folder,) = list_snapshots(out)
    names = [f"leaderboard.{kind}" for kind in ("csv", "html", "json")]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert sorted(path.name for path in out.iterdir()) == [folder.name, "latest", *names]
    for name in names:
        assert (out / name).read_bytes() == (out / "latest" / name).read_bytes() == (folder / name).read_bytes()
    assert (board["method"], board["votes"]["used"]) == (method, 4)
    table = list(csv.DictReader((out / "leaderboard.csv").read_text().splitlines()))
    assert [(row["model"], float(row["rating"])) for row in table] == [
        (row["model"], row["rating"]) for row in board["rows"]
    ]
    assert (out / "leaderboard.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert f"{method}: 4 votes read, 4 used" in capsys.readouterr().out


def test_votes_file_is_rated_like_the_ledger(
    make_ledger: MakeLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner,judge\n" + "".join(f"{a},{b},{o},v\n" for a, b, o in VOTES))
    printed = []
    for source in (["--votes", str(path)], ["--db", str(make_ledger(VOTES))]):
        assert main(source) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


def test_options_reach_the_board(make_ledger: MakeLedger, tmp_path: Path) -> None:
    options = ["--both-bad", "drop", "--confidence", "0.8"]
    board = told("--db", make_ledger(VOTES), *options, out=tmp_path / "out")
    assert (board["settings"]["both_bad"], board["settings"]["confidence"]) == ("drop", 0.8)
    assert board["votes"]["left_out"] == {"both bad, dropped": 1}


BOARDS: dict[str, dict[str, Any]] = {
    "": {},
    "--ties drop": {"ties": "drop"},
    "--ties davidson": {"ties": "davidson"},
    "--method davidson": {"ties": "davidson"},
    "--method davidson --ties davidson": {"ties": "davidson"},
    "--both-bad loss-to-the-field": {"both_bad": "loss-to-the-field"},
    "--prior 150": {"prior": Prior(150.0)},
    "--interval clustered": {"interval": "clustered"},
    "--interval clustered --cluster prompt": {"interval": "clustered", "cluster": "prompt"},
    "--interval bootstrap --seed 3": {"interval": "bootstrap", "seed": 3},
    "--interval sequence --confidence 0.9": {"interval": "sequence", "confidence": 0.9},
    "--anchor rlhf-int8=1234.5": {"anchor": ("rlhf-int8", 1234.5)},
}


@pytest.mark.parametrize("options", BOARDS)
def test_each_option_makes_the_board_that_its_setting_makes(full_ledger: Path, tmp_path: Path, options: str) -> None:
    board = told("--db", full_ledger, *options.split(), out=tmp_path / "out")
    votes = read_ledger_source(full_ledger, Needs(votes=True, prompts=True)).votes
    assert votes is not None
    direct = build(votes, "bradley-terry", Settings(**BOARDS[options]), now=datetime(2030, 1, 1, tzinfo=UTC))
    expected = json.loads(json.dumps(direct.to_json_dict()))
    assert (board["rows"], board["settings"]) == (expected["rows"], expected["settings"])
    assert (board["method"], board["votes"]) == (expected["method"], expected["votes"])


def test_weights_come_from_the_chance_of_each_pair(full_ledger: Path, tmp_path: Path) -> None:
    for interval in ("sandwich", "clustered"):  # from counts, and from the votes one by one
        board = told("--db", full_ledger, "--weights", "--interval", interval, out=tmp_path / interval)
        result = fit(read_ledger(full_ledger, weights=True))
        points = dict(zip(result.models, 1000 + POINTS_PER_NAT * result.strengths, strict=True))
        assert {row["model"]: row["rating"] for row in board["rows"]} == pytest.approx(points)
        assert "1 / (chance" in board["settings"]["weights"]


PARTS = {
    "--choose": "ties",
    "--category all": "categories",
    "--category facts": "categories",
    "--style": "style",
    "--by week": "series",
    "--models models.yaml": "attribution",
    "--voters": "voters",
    "--elo-shuffles 3": "elo_shuffles",
    "--method elo --elo-shuffles 2": "elo_shuffles",
    "--position": "position",
    "--fragility": "fragility",
}
MODELS = """
contestants:
  - {name: base, stage: base}
  - {name: sft, stage: sft, parent: base}
  - {name: rlhf, stage: rlhf, parent: sft}
  - {name: rlhf-int8, stage: rlhf, parent: rlhf, tags: [int8]}
"""


@pytest.mark.parametrize("options", PARTS)
def test_each_part_is_told_where_it_is_asked_for(
    full_ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models.yaml").write_text(MODELS)
    with_part = told("--db", full_ledger, *options.split(), out=tmp_path / "with")
    without = told("--db", full_ledger, "--no-position", "--no-fragility", out=tmp_path / "without")
    assert with_part[PARTS[options]]
    assert not without[PARTS[options]]


def test_gain_of_a_step_is_its_contrast_on_the_joint_covariance(full_ledger: Path, tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(MODELS)
    board = told("--db", full_ledger, "--models", tmp_path / "models.yaml", out=tmp_path / "out")
    gains = {gain["name"]: gain for gain in board["attribution"]["gains"]}
    ratings = {row["model"]: row["rating"] for row in board["rows"]}
    assert gains["sft -> rlhf"]["points"] == pytest.approx(ratings["rlhf"] - ratings["sft"])
    assert gains["int8"]["points"] == pytest.approx(ratings["rlhf-int8"] - ratings["rlhf"])
    told_all = board["differences"]["all"]
    i, j = (told_all["models"].index(name) for name in ("rlhf", "sft"))
    bounds = [gains["sft -> rlhf"][bound] for bound in ("lower", "upper")]
    assert bounds == pytest.approx([told_all["lower"][i][j], told_all["upper"][i][j]])


def test_rows_left_out_are_listed(full_ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(HEADER + "a,b,model_a\na,a,tie\nb,a,model_a\na,,tie\n")
    assert main(["--votes", str(path), "--list-left-out"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["row 2: self-battle", "row 4: missing model"]
    assert main(["--db", str(full_ledger), "--list-left-out"]) == 0
    out = capsys.readouterr().out
    assert (out.count(": self-battle\n"), out.count(": voted before\n")) == (6, 6)


def test_every_option_is_on_the_manual_page_and_in_the_request() -> None:
    page = parser().format_help()
    for action in parser()._actions:
        assert action.help, action.option_strings
        assert all(option in page for option in action.option_strings)
    for said in ("examples:", "exit status:"):
        assert said in page
    assert max(map(len, page.splitlines())) <= 110
    request = read_request(parser().parse_args(["--db", "x", "--anchor", "a=b=7", "--category", "p", "q"]))
    assert request.settings.anchor == ("a=b", 7.0)
    assert request.categories == ("p", "q")


def test_manual_page_needs_no_arrays() -> None:
    code = "import sys, ratings.compute as c\nc.parser().format_help()\nprint('numpy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_earlier_snapshot_survives_a_run_that_fails(
    make_ledger: MakeLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    arguments = ["--db", str(make_ledger(VOTES)), "--out", str(out)]
    assert main(arguments) == 0

    def everything() -> dict[Path, bytes | str]:
        return {p: str(p.readlink()) if p.is_symlink() else p.read_bytes() for p in out.rglob("*") if not p.is_dir()}

    before = everything()

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(output.os, "chmod", full_disk)
        assert main([*arguments, "--confidence", "0.5"]) == 2
    assert everything() == before
    with monkeypatch.context() as patch:
        patch.setattr("ratings.report.html.page.report_html", fail)
        assert main([*arguments, "--confidence", "0.5"]) == 70
    assert everything() == before
    assert main(["--votes", str(tmp_path / "none.csv"), "--out", str(out)]) == 2
    assert everything() == before


def fail(*_: object, **__: object) -> str:
    raise RuntimeError("no page")


def test_second_run_keeps_the_first_and_tells_what_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "votes.csv", tmp_path / "out"
    rows = ["a,b,model_a", "a,b,model_b", "b,c,model_a", "b,c,model_b", "a,c,model_a", "a,c,model_b"] * 10
    path.write_text(HEADER + "\n".join(rows) + "\n")
    first = told("--votes", path, out=out)
    assert first["changes"] is None
    (kept,) = list_snapshots(out)
    old = {file.name: file.read_bytes() for file in kept.iterdir()}
    path.write_text(HEADER + "\n".join([*rows, *["c,a,model_a"] * 60, *["c,b,model_a"] * 60, "d,a,tie"]) + "\n")
    capsys.readouterr()
    second = told("--votes", path, out=out)
    assert {file.name: file.read_bytes() for file in kept.iterdir()} == old
    assert len(list_snapshots(out)) == 2
    changes = second["changes"]
    assert (changes["old"], changes["new_votes"]) == (first["created"], 121)
    moves = {move["model"]: move for move in changes["moves"]}
    assert moves["c"]["is_more_than_noise"] is True
    assert moves["d"]["status"] == "new"
    printed = capsys.readouterr().out
    assert f"since {first['created']}, +121 votes: c +" in printed
    assert "d: new" in printed


def test_boards_without_intervals_call_no_move_noise(
    make_ledger: MakeLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for method in ("bradley-terry", "elo"):
        told("--db", make_ledger(VOTES, name=f"{method}.db"), "--method", method, out=tmp_path / "out")
    assert "no interval to hold a move against" in capsys.readouterr().out


def test_broken_earlier_snapshot_costs_only_the_comparison(make_ledger: MakeLedger, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told("--db", make_ledger(VOTES), out=out)
    (first,) = list_snapshots(out)
    (first / "leaderboard.json").write_text("{")
    board = told("--db", tmp_path / "votes.db", out=out)
    assert board["changes"] is None
    assert any(note.startswith("changes: ") for note in board["notes"])


def test_without_links_the_files_are_copied(
    make_ledger: MakeLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", no_links)
    out = tmp_path / "out"
    for confidence in (0.95, 0.5):
        board = told("--db", make_ledger(VOTES, name=f"{confidence}.db"), "--confidence", str(confidence), out=out)
        assert board["settings"]["confidence"] == confidence
    assert not (out / "leaderboard.json").is_symlink()
    assert (out / "latest").read_text().strip() == list_snapshots(out)[-1].name


def test_picture_is_kept_where_asked_for_and_its_link_goes_with_it(
    make_ledger: MakeLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ratings.report.html.png.write_png", lambda report, path: path.write_bytes(b"picture"))
    out, db = tmp_path / "out", make_ledger(VOTES)
    told("--db", db, "--png", out=out)
    assert (out / "leaderboard.png").read_bytes() == b"picture"
    told("--db", db, out=out)
    assert not (out / "leaderboard.png").is_symlink()
    assert (list_snapshots(out)[0] / "leaderboard.png").read_bytes() == b"picture"


def test_reader_that_has_seen_enough_ends_the_command_quietly(make_ledger: MakeLedger) -> None:
    command = [sys.executable, "-m", "ratings.compute", "--db", str(make_ledger(VOTES))]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.close()
    assert run.stderr.read() == b""
    assert run.wait() == 0
    run.stderr.close()


def test_voters_are_named_by_their_ids_alike_in_every_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], whole_page: None
) -> None:
    rows = [(*pair, f"person-{k % 7}") for k, pair in enumerate([("a", "b", "model_a"), ("b", "a", "model_a")] * 20)]
    path = tmp_path / "votes.csv"
    unknown = "a,b,model_a,\n" * 9  # nobody's, however many they are
    path.write_text(HEADER.replace("\n", ",judge\n") + "".join(f"{','.join(row)}\n" for row in rows) + unknown)
    board = told("--votes", path, "--voters", out=tmp_path / "out")
    names = [one["voter"] for one in board["voters"]]
    assert sorted(names) == [f"person-{k}" for k in range(7)]
    page = (tmp_path / "out" / "leaderboard.html").read_text(encoding="utf-8")
    printed = capsys.readouterr().out
    assert all(name in page for name in names)
    assert all(f"voter {name}:" in printed for name in names[:5])


def test_visitors_of_a_ledger_are_named_by_a_hash_that_stays(full_ledger: Path, tmp_path: Path) -> None:
    board = told("--db", full_ledger, "--voters", out=tmp_path / "out")
    with closing(sqlite3.connect(full_ledger)) as ledger:
        visitors = {row[0] for row in ledger.execute("SELECT visitor FROM votes")}
    hashes = {sha256(visitor.encode()).hexdigest()[:10] for visitor in visitors}
    assert {one["voter"] for one in board["voters"]} <= hashes
    assert board["voters"]


def test_snapshots_of_the_same_votes_are_equal_but_for_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_ledger: Path, whole_page: None
) -> None:
    files: list[dict[str, str]] = []
    for place, moment in enumerate((datetime(2030, 1, 1, tzinfo=UTC), datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC))):
        folder = tmp_path / str(place)
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.setattr(compute, "datetime", type("Clock", (), {"now": staticmethod(lambda _, now=moment: now)}))
        words = ["--category", "all", "--by", "day", "--style", "--voters", "--elo-shuffles", "3", "--choose"]
        assert main(["--db", str(full_ledger), "--out", "boards", *words]) == 0
        (snapshot,) = list_snapshots(Path("boards"))
        stamps = (moment.isoformat(timespec="seconds"), moment.strftime("%Y-%m-%d %H:%M:%S UTC"))
        files.append({})
        for path in sorted(snapshot.iterdir()):
            text = path.read_text(encoding="utf-8")
            for stamp in stamps:
                text = text.replace(stamp, "NOW")
            files[-1][path.name] = text
    assert files[0] == files[1]
    assert set(files[0]) == {"leaderboard.json", "leaderboard.csv", "leaderboard.html"}
    assert sum(map(len, files[0].values())) < 300_000


def test_davidsons_nu_has_its_interval_in_every_output(
    full_ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], whole_page: None
) -> None:
    board = told("--db", full_ledger, "--method", "davidson", out=tmp_path / "out")
    nu = board["tie_parameter"]
    assert nu["lower"] < nu["nu"] < nu["upper"]
    assert nu["tie_share"] == pytest.approx(nu["nu"] / (2 + nu["nu"]))
    sentence = f"nu is {nu['nu']:.3g} [{nu['lower']:.3g}, {nu['upper']:.3g}]"
    assert sentence in capsys.readouterr().out
    assert sentence in (tmp_path / "out" / "leaderboard.html").read_text(encoding="utf-8")


def test_the_share_of_votes_that_hold_the_first_place_is_one_number_everywhere(
    full_ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], whole_page: None
) -> None:
    told("--db", full_ledger, out=tmp_path / "out")
    (share,) = re.findall(r"votes \(([\d.]+%)\)", capsys.readouterr().out)
    assert f"votes ({share})" in (tmp_path / "out" / "leaderboard.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("rows", ["a,b,tie\n" * 9, "a,b,model_a\n" * 9, "a,b,both_bad\n"])
def test_nobody_rated_holds_no_first_place(tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: str) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(HEADER + rows)
    assert main(["--votes", str(path)]) == 0
    said = capsys.readouterr().out
    assert "first place: dropping" not in said
    assert "first place: no set" not in said
    assert "so there is no first place to lose" in " ".join(said.split())
