"""The penalty on replies that do not end."""

from training.stages.rl import penalise_unfinished


def test_only_a_reply_whose_last_token_is_no_end_is_penalised() -> None:
    penalise = penalise_unfinished({3, 0}, 1.5)
    replies = [[7, 8, 3], [7, 8], [0], [], [3, 8]]
    assert penalise(completion_ids=replies, prompts=["x"] * 5, completions=None) == [0.0, -1.5, 0.0, -1.5, -1.5]


def test_without_a_penalty_nothing_is_taken() -> None:
    assert penalise_unfinished({3}, 0.0)(completion_ids=[[7], [3]]) == [0.0, 0.0]
