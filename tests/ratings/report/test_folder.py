"""The folder of boards: what belongs to others stays, what killed runs left goes, and what lives is left alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ratings.compute import main
from ratings.report.folder import ASIDE, aside, list_snapshots
from tests.paths import ROOT

NAMES = ["latest", "leaderboard.json", "leaderboard.csv", "leaderboard.html"]


@pytest.fixture
def votes(tmp_path: Path) -> list[str]:
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner\n" + "a,b,model_a\nb,c,model_a\nc,a,model_a\n" * 5)
    return ["--votes", str(path), "--out", str(tmp_path / "out")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link"])
def test_what_somebody_else_put_there_is_refused_before_the_votes_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, kind: str
) -> None:
    out, mine = tmp_path / "out", tmp_path / "mine"
    out.mkdir()
    mine.write_text("mine\n")
    match kind:
        case "file":
            (out / name).write_text("mine\n")
        case "folder":
            (out / name).mkdir()
        case "link":
            (out / name).symlink_to(mine)
        case _:
            (out / name).symlink_to("nowhere")
    before = os.lstat(out / name)
    assert main(["--votes", str(tmp_path / "no.csv"), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert f"{name}: was not written by this program" in said
    assert "move it away" in said
    assert os.lstat(out / name) == before
    assert mine.read_text() == "mine\n"
    assert os.listdir(out) == [name]


def test_own_links_and_own_copies_are_replaced(votes: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(votes) == 0
    (out / "leaderboard.csv").unlink()
    (out / "leaderboard.csv").write_bytes((list_snapshots(out)[0] / "leaderboard.csv").read_bytes())
    assert main(votes) == 0
    (out / "leaderboard.csv").unlink()
    (out / "leaderboard.csv").write_text("model,rating\nmine,1\n")
    assert main(votes) == 2
    assert (out / "leaderboard.csv").read_text() == "model,rating\nmine,1\n"


def test_a_picture_of_ones_own_stays_where_none_is_asked_for(votes: list[str], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "leaderboard.png").symlink_to("mine.png")
    assert main(votes) == 0
    assert os.readlink(tmp_path / "out" / "leaderboard.png") == "mine.png"
    assert main([*votes, "--png"]) == 2


WAITING = """
import sys
from pathlib import Path
from ratings.report import snapshots
settle = snapshots._settle
def wait(unfinished, *more):
    print("here", flush=True)
    sys.stdin.read()
    return settle(unfinished, *more)
snapshots._settle = wait
from ratings.compute import main
sys.exit(main(sys.argv[1:]))
"""


def start(arguments: list[str]) -> "subprocess.Popen[str]":
    """Start a run and wait until its snapshot is written aside and not yet renamed."""
    command = [sys.executable, "-c", WAITING, *arguments]
    run = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdout
    assert run.stdout.readline() == "here\n"
    return run


def test_what_a_killed_run_left_is_cleared_by_the_next_and_a_run_beside_it_is_not(
    votes: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    killed, alive = start(votes), start(votes)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert len(list(out.glob(f"{ASIDE}*"))) == 2
    assert main(votes) == 0
    assert len(list(out.glob(f"{ASIDE}*"))) == 1
    alive.communicate("go on")
    assert alive.returncode == 0
    assert list(out.glob(f"{ASIDE}*")) == []
    assert len(list_snapshots(out)) == 2
    assert all((folder / "leaderboard.json").is_file() for folder in list_snapshots(out))


def test_a_run_stopped_by_ctrl_c_leaves_nothing(votes: list[str], tmp_path: Path) -> None:
    run = start(votes)
    run.send_signal(signal.SIGINT)
    run.communicate()
    assert run.returncode == 130
    assert list((tmp_path / "out").iterdir()) == []


def test_two_of_one_process_leave_each_other_alone(tmp_path: Path) -> None:
    with aside(tmp_path) as one, aside(tmp_path) as two:
        assert one.is_dir()
        assert two.is_dir()
    assert list(tmp_path.iterdir()) == []
