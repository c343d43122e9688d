"""The house keeps its own rules, beside those of .importlinter: importing does nothing, folders stay small."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

ROOMS = ("arena", "common", "ratings", "training")


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Yield every module imported anywhere in a file, in functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def test_gradio_is_imported_only_by_the_page() -> None:
    users = {p for room in ROOMS for p in modules(room) if any(n.split(".")[0] == "gradio" for n in imports(p))}
    assert users
    assert all(path.is_relative_to(ROOT / "arena" / "ui") for path in users)


def test_sql_is_written_only_where_ledgers_are_kept_and_read() -> None:
    writers = {p for room in ROOMS for p in modules(room) if "sqlite3" in set(imports(p))}
    assert ROOT / "arena" / "ledger" / "store.py" in writers
    assert ROOT / "ratings" / "ledger" / "reader.py" in writers
    assert all(path.parent.name != "ui" and not path.is_relative_to(ROOT / "training") for path in writers)


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        (
            "import arena.service, arena.ledger.store, arena.server.policy, arena.ui.render, arena.backends",
            "torch gradio",
        ),
        ("import arena.ui.page", "torch transformers"),
        ("import app", "torch gradio transformers"),
        ("import arena.quick.__main__", "torch gradio transformers"),
        ("import ratings.compute, ratings.export", "torch gradio pandas plotly scipy"),
        ("import training.__main__", "torch transformers gradio"),
    ],
)
def test_importing_stays_light(statement: str, unwanted: str) -> None:
    code = f"{statement}\nimport sys\nprint(*[name for name in {unwanted.split()!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_project_speaks_of_no_machine() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    homes = ("/" + "work/", "/" + "root/", "/" + "home/")
    for name in tracked:
        if name.endswith((".py", ".md", ".yaml", ".toml", ".txt", ".css", ".sh", "Makefile")):
            text = (ROOT / name).read_text(encoding="utf-8")
            assert not any(home in text for home in homes), name


def test_no_folder_holds_more_python_files_than_one_can_look_over() -> None:
    for room in (*ROOMS, "tests"):
        for folder in {path.parent for path in modules(room)}:
            files = [path for path in folder.glob("*.py") if path.stat().st_size]
            assert len(files) <= 14, folder


def test_every_package_says_in_a_sentence_or_two_what_it_holds() -> None:
    for room in ROOMS:
        for path in (ROOT / room).rglob("__init__.py"):
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
            assert docstring, path
            assert len(docstring) < 500, path


# Modules without a test file of their own name, and where what they do is tested.
TESTED_IN = {
    "common/options.py": "tests/arena/server/test_options.py",
    "ratings/which.py": "tests/ratings/votes/test_which.py",
    "arena/backends/base.py": "tests/arena/backends/local/test_backend.py",
    **{
        f"arena/backends/openai/{name}.py": "tests/arena/backends/openai/test_outcomes.py"
        for name in ("chunks", "client", "reading")
    },
    "arena/backends/openai/draft.py": "tests/arena/backends/openai/test_backend.py",
    "arena/checkpoints/size.py": "tests/arena/backends/local/test_engine.py",
    "arena/backends/local/writing.py": "tests/arena/backends/local/test_backend.py",
    "arena/backends/vllm/child.py": "tests/arena/backends/vllm/test_engine.py",
    "arena/backends/vllm/leash.py": "tests/arena/backends/vllm/test_engine.py",
    "arena/backends/vllm/served.py": "tests/arena/backends/vllm/test_backend.py",
    "arena/fight.py": "tests/arena/service/test_failures.py",
    "arena/service.py": "tests/arena/service/test_battles.py",
    "arena/ui/interval_plot.py": "tests/arena/ui/test_leaderboard_tab.py",
    "arena/ui/page.py": "tests/arena/server/test_gate.py",
    "arena/ui/theme.py": "tests/arena/ui/test_accessibility.py",
    "ratings/analysis/influence.py": "tests/ratings/analysis/test_fragility.py",
    "ratings/analysis/position.py": "tests/ratings/analysis/test_style.py",
    "ratings/analysis/refit.py": "tests/ratings/analysis/test_fragility.py",
    "ratings/api/board.py": "tests/ratings/test_api.py",
    "ratings/api/exports.py": "tests/ratings/test_api.py",
    "ratings/api/numbers.py": "tests/ratings/test_api.py",
    "ratings/api/pairs.py": "tests/ratings/test_api.py",
    "ratings/api/vote_set.py": "tests/ratings/test_api.py",
    "ratings/board/estimate.py": "tests/ratings/board/test_leaderboard.py",
    "ratings/board/groups.py": "tests/ratings/report/test_groups.py",
    "ratings/board/settings.py": "tests/ratings/test_compute_refusals.py",
    "ratings/board/spreads.py": "tests/ratings/board/test_grouped.py",
    "ratings/board/words.py": "tests/ratings/report/test_snapshots.py",
    "ratings/choices.py": "tests/ratings/test_compute_refusals.py",
    "ratings/cli.py": "tests/ratings/test_compute.py",
    "ratings/contradictions.py": "tests/ratings/test_compute_refusals.py",
    "ratings/errors.py": "tests/ratings/test_compute_refusals.py",
    "ratings/fit/covariate_data.py": "tests/ratings/analysis/test_style.py",
    "ratings/fit/covariates.py": "tests/ratings/analysis/test_style.py",
    "ratings/fit/protocol.py": "tests/ratings/fit/test_ties.py",
    "ratings/ledger/access.py": "tests/ratings/ledger/test_reader.py",
    "ratings/ledger/groups.py": "tests/ratings/ledger/test_vote_counts.py",
    "ratings/ledger/live_voters.py": "tests/ratings/ledger/test_live.py",
    "ratings/ledger/set_aside.py": "tests/arena/ledger/test_set_aside.py",
    **{
        f"ratings/report/html/{name}.py": "tests/ratings/report/html/test_sections.py"
        for name in ("boards", "effects", "headline", "pairs", "robustness")
    },
    "ratings/report/html/axes.py": "tests/ratings/report/html/test_plots.py",
    "ratings/report/html/elements.py": "tests/ratings/report/html/test_page.py",
    "ratings/report/html/plot_series.py": "tests/ratings/report/html/test_plots.py",
    **{
        f"ratings/report/{name}.py": "tests/ratings/report/test_build.py"
        for name in ("json", "parts", "report", "request", "text", "tie_parameter")
    },
    "ratings/report/names.py": "tests/ratings/report/html/test_plots.py",
    "ratings/report/provenance.py": "tests/ratings/report/html/test_page.py",
    "ratings/report/publish.py": "tests/ratings/test_compute.py",
    "ratings/scale.py": "tests/ratings/test_compute.py",
    "ratings/votes/clusters.py": "tests/ratings/intervals/test_grouping.py",
    "ratings/votes/collect.py": "tests/ratings/ledger/test_reader.py",
    **{
        f"ratings/files/{name}.py": "tests/ratings/files/test_two_readers.py"
        for name in ("columns", "frames", "rows", "scan", "tables")
    },
    **{
        f"ratings/files/{name}.py": "tests/ratings/files/test_what_people_have.py"
        for name in ("formats", "naming", "times", "values")
    },
    "ratings/files/reply_styles.py": "tests/ratings/report/test_sources.py",
    **{
        f"ratings/votes/{name}.py": "tests/ratings/files/test_what_people_have.py"
        for name in ("counts", "lookalikes", "votes")
    },
    "training/data/pair_rows.py": "tests/training/data/test_preferences.py",
    **{
        f"training/data/tasks/{name}_problems.py": "tests/training/data/tasks/test_problems.py"
        for name in ("list", "number", "passage", "word")
    },
    "training/parents/open_models.py": "tests/training/parents/test_fetch.py",
    "training/evaluate/limits.py": "tests/training/evaluate/test_policy.py",
}


def test_every_module_has_a_test_file_of_its_name_or_one_that_is_named_here() -> None:
    missing = {}
    for room in ROOMS:
        for path in modules(room):
            name = path.relative_to(ROOT)
            if (
                path.stem not in ("__init__", "__main__")
                and not (ROOT / "tests" / name.parent / f"test_{name.name}").exists()
            ):
                missing[name.as_posix()] = name
    assert sorted(missing) == sorted(TESTED_IN)
    assert all((ROOT / test).is_file() for test in TESTED_IN.values())
