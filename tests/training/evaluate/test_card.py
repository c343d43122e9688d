"""The report card of a family: complete, safe, the same twice, and in plain text too."""

import json
from pathlib import Path
from typing import Any

import pytest

from training.__main__ import main
from training.chat import run_chat
from training.evaluate.card import families_figure, find_alarms, look_up, render_card, text_table
from training.evaluate.measure import evaluate, exact_match, find_checkpoints, first_line_exact, story_checks
from training.runs.checkpoint import CheckpointError
from training.runs.generate import Sample

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(tiny_family: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("card") / "report.html"
    assert main(["evaluate", str(tiny_family), "--out", str(page), "--prompts", "3"]) == 0
    return page


def cards(page: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    return found


def test_the_card_has_a_column_a_stage_in_the_order_of_training(report: Path) -> None:
    assert [card["stage"] for card in cards(report)] == ["base", "sft", "rlhf", "reward"]
    for card in cards(report)[:3]:
        assert 0 < card["bits_per_byte"] < 8
        assert card["parameters"] > 0
        assert set(card["stories"]) == {"hero_kept", "colour_kept", "ended", "no_loop", "all"}
        for key in ("exact", "cut_off", "distinct_1", "distinct_2"):
            assert 0 <= card[key] <= 1
        assert card["shown"]
    assert ["exact_first_line" in card for card in cards(report)] == [True, False, False, False]
    assert look_up(cards(report)[3], "reward_model.probes_below") is not None
    assert look_up(cards(report)[3], "heldout.calibration_error") is not None


def test_the_page_needs_nothing_but_itself(report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    assert "<script src" not in page
    assert "<link" not in page
    assert page.count("Plotly.newPlot(") >= 2
    for words in ("Bits per byte", "Self-BLEU", "Calibration error", "Rubric, RLHF model", "Ten prompts"):
        assert words in page


def test_measuring_twice_gives_the_same_figures(tiny_family: Path, report: Path) -> None:
    again = evaluate(tiny_family / "sft", per_family=3, show=False)
    assert again == next(card for card in cards(report) if card["stage"] == "sft")


def test_what_a_model_wrote_cannot_run_in_the_page(report: Path) -> None:
    card = cards(report)[1]
    card["shown"] = [{"family": "x", "prompt": "<script>alert(1)</script>", "reply": "<img src=x onerror=alert(2)>"}]
    page = render_card([card], {}, [])
    assert "<script>alert" not in page
    assert "<img" not in page


def test_the_table_for_the_terminal_has_every_stage(report: Path) -> None:
    table = text_table(cards(report))
    for words in ("nano/base", "nano/sft", "nano/rlhf", "nano/reward", "Bits per byte"):
        assert words in table


def test_the_page_shows_how_reinforcement_learning_went(report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    assert "On the way of nano/rlhf" in page
    for watched in ("entropy, nats a token", "groups without spread", "share cut off"):
        assert watched in page


def test_dpo_samples_nothing_so_there_is_nothing_to_watch() -> None:
    page = render_card([], {"nano/rlhf": [{"loss": 0.7, "rewards/accuracies": 0.5, "step": 1}]}, [])
    assert "Loss on the way" in page
    assert "On the way of" not in page


def test_alarms_of_reinforcement_learning_are_said_in_words() -> None:
    calm = {"kl": 0.1, "entropy": 1.0, "completions/clipped_ratio": 0.0, "frac_reward_zero_std": 0.1}
    assert find_alarms([calm, calm]) == []
    for key, value, words in (
        ("kl", 0.5, "KL reached 0.50"),
        ("entropy", 0.3, "fell from 1.00 to 0.30"),
        ("completions/clipped_ratio", 0.4, "40% of the last replies were cut off"),
        ("frac_reward_zero_std", 0.9, "taught nothing"),
    ):
        [alarm] = find_alarms([calm, calm | {key: value}])
        assert words in alarm


def test_a_folder_without_checkpoints_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is no checkpoint and holds none"):
        find_checkpoints([tmp_path])


def test_stories_are_checked_by_hero_thing_and_end() -> None:
    from training.data.world.examples import Example

    asked = [Example("story_order", "?", "", kept=("Anna", "red kite"))] * 4
    said = ["Anna had a red kite.", "Anna had a blue kite.", "Ben had a red kite.", "Anna had a red kite"]
    replies = [Sample(text, True, [], []) for text in said]
    checks = story_checks(asked, replies)["stories"]
    assert checks == {"hero_kept": 0.75, "colour_kept": 0.75, "ended": 0.75, "no_loop": 1.0, "all": 0.25}


def test_a_title_alone_keeps_nobody_in_the_story() -> None:
    from training.data.rubric import Rubric
    from training.data.world.examples import Example

    asked = Example("story_order", "?", "", kept=("Anna", "red kite"))
    title = "Anna and the red kite\n\n"
    for said, share in (("Ben had a blue hat.", 0.0), ("Anna had a red kite.", 1.0)):
        reply = Sample(title + said, True, [], [])
        checks = story_checks([asked], [reply])["stories"]
        assert (checks["hero_kept"], checks["colour_kept"]) == (share, share)
        assert Rubric({}, frozenset()).mark(asked, reply.text, is_finished=True).correct == share


def test_families_that_are_equally_hard_stand_by_name_so_that_a_page_is_the_same_twice() -> None:
    right = dict.fromkeys("hcafbgde", 0.5) | {"z": 0.1}
    [dots] = families_figure([{"name": "sft", "family": "x", "stage": "sft", "exact_by_family": right}]).data
    assert dots.y == (*"abcdefgh", "z")


def test_right_answers_are_counted_by_family() -> None:
    from training.data.rubric import Rubric
    from training.data.tasks.tasks import read_families
    from training.data.world.examples import Example

    hot = Example("opposite", "?", "", "full", ("cold",), {"word": "hot", "answer": "cold"})
    one = Example("sum", "Melina?", "", "full", ("3",), {"a": "1", "b": "2", "answer": "3"})
    replies = [Sample(text, True, [], []) for text in ("Cold.", "Warm.", "3")]
    found = exact_match([hot, hot, one], replies, Rubric(read_families(), frozenset()), frozenset({"Melina"}))
    assert found["exact"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["exact_by_family"] == {"opposite": 0.5, "sum": 1.0}
    assert found["exact_with_new_words"] == 1.0


def test_a_base_models_first_line_counts_apart_from_what_it_goes_on_to_write() -> None:
    from training.data.rubric import Rubric
    from training.data.tasks.tasks import read_families
    from training.data.world.examples import Example

    hot = Example("opposite", "?", "", "full", ("cold",), {"word": "hot", "answer": "cold"})
    rambling = [Sample("Cold.\n\nQuestion of the day: Up? Answer of the day: Down, and so on.", True, [], [])]
    rubric = Rubric(read_families(), frozenset())
    assert exact_match([hot], rambling, rubric, frozenset())["exact"] == 0.0
    assert first_line_exact([hot], rambling, rubric) == 1.0


def test_a_chat_answers_each_line_until_an_empty_one(tiny_family: Path) -> None:
    said: list[str] = []
    lines = iter(["Hello!", "What is the opposite of hot?", "", "never read"])
    run_chat(tiny_family / "sft", lines, said.append, temperature=0.0, max_tokens=5, seed=0)
    assert "".join(said).count("\n") >= 2
    assert next(lines) == "never read"


def test_a_chat_says_when_a_line_is_too_long(tiny_family: Path) -> None:
    said: list[str] = []
    run_chat(tiny_family / "sft", ["moo " * 900], said.append, temperature=0.0, max_tokens=5)
    assert "longer than the model's context of 128 tokens" in "".join(said)


def test_a_reward_model_does_not_chat(tiny_family: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no checkpoint that writes text"):
        run_chat(tiny_family / "reward", ["Hello!"], print, temperature=0.0, max_tokens=5)


def test_publishing_halves_the_weights_and_keeps_the_lineage(
    tiny_family: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from training.runs.checkpoint import hash_weights, read_record

    out = tmp_path / "small"
    assert main(["publish", str(tiny_family), "--out", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["base", "reward", "rlhf", "sft"]
    for name in ("base", "sft", "reward", "rlhf"):
        sizes = [(folder / name / "model.safetensors").stat().st_size for folder in (out, tiny_family)]
        assert sizes[0] < 0.6 * sizes[1]
        record = read_record(out / name)
        assert record is not None
        assert record["weights"] == hash_weights(out / name) != hash_weights(tiny_family / name)
        assert record["rounded"] == "bfloat16"
    for child, parent in (("sft", "base"), ("rlhf", "sft"), ("reward", "sft")):
        record = read_record(out / child)
        assert record is not None
        assert record["parent"]["weights"] == hash_weights(out / parent)
    whole, small = (evaluate(folder / "sft", per_family=1, show=False) for folder in (tiny_family, out))
    assert small["bits_per_byte"] == pytest.approx(whole["bits_per_byte"], rel=0.01)
    capsys.readouterr()
    assert main(["publish", str(tmp_path), "--out", str(tmp_path / "none")]) == 2
    assert "holds no trained checkpoints" in capsys.readouterr().err
