"""The figures side by side: found by their keys, left out where no checkpoint has them."""

from training.evaluate.table import look_up, text_table

SFT = {"family": "nano", "name": "sft", "stage": "sft", "exact": 0.5, "heldout": {"reward": 1.0}}
RLHF = {"family": "nano", "name": "rlhf", "stage": "rlhf", "exact": 0.75, "heldout": {"reward": 2.0}}


def test_a_figure_is_looked_up_by_its_dotted_key() -> None:
    assert look_up(SFT, "heldout.reward") == 1.0
    assert look_up(SFT, "heldout.none") is None
    assert look_up(SFT, "exact.none") is None


def test_the_table_has_a_column_per_checkpoint_and_only_rows_with_figures() -> None:
    lines = text_table([SFT, RLHF]).splitlines()
    assert lines[0].split() == ["nano/sft", "nano/rlhf"]
    assert [line.split()[-2:] for line in lines if line.startswith("Right answers, all")] == [["50.0%", "75.0%"]]
    assert not any(line.startswith("Distinct") for line in lines)


def test_figures_of_reinforcement_learning_are_those_of_its_checkpoint_alone() -> None:
    [line] = [line for line in text_table([SFT, RLHF]).splitlines() if line.startswith("Reward, RLHF model")]
    assert line.split()[-1] == "2.00"
    assert "1.00" not in line
