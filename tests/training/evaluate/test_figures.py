"""The figures of the report card and the alarms of a run of RL."""

from training.evaluate.figures import find_alarms, tasks_figure


def test_alarms_of_reinforcement_learning_are_put_into_words() -> None:
    calm = {"kl": 0.1, "entropy": 1.0, "completions/clipped_ratio": 0.0, "frac_reward_zero_std": 0.1}
    assert find_alarms([calm, calm]) == []
    for key, value, words in (
        ("kl", 0.5, "KL reached 0.50"),
        ("entropy", 0.3, "fell from 1.00 to 0.30"),
        ("completions/clipped_ratio", 0.4, "40% of the last replies were cut off"),
        ("frac_reward_zero_std", 0.9, "nothing can be learnt"),
    ):
        [alarm] = find_alarms([calm, calm | {key: value}])
        assert words in alarm


def test_tasks_that_are_equally_hard_stand_by_name_so_that_a_page_is_the_same_twice() -> None:
    right = dict.fromkeys("hcafbgde", 0.5) | {"z": 0.1}
    [dots] = tasks_figure([{"name": "sft", "family": "x", "stage": "sft", "exact_by_family": right}]).data
    assert dots.y == (*"abcdefgh", "z")
