"""Every spelling of an outcome, and none other."""

import pytest

from ratings.errors import SettingsError, UnknownOutcomeError
from ratings.outcomes import (
    OUTCOMES,
    SPELLINGS,
    Outcome,
    check_ties,
    parse_one_hot,
    parse_outcome,
    score,
)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("model_a", Outcome.A_WINS),
        ("leftvote", Outcome.A_WINS),
        ("left", Outcome.A_WINS),
        ("model_b", Outcome.B_WINS),
        ("rightvote", Outcome.B_WINS),
        ("right", Outcome.B_WINS),
        ("tie", Outcome.TIE),
        ("tievote", Outcome.TIE),
        ("tie (bothbad)", Outcome.BOTH_BAD),
        ("both_bad", Outcome.BOTH_BAD),
        ("bothbad", Outcome.BOTH_BAD),
        ("bothbad_vote", Outcome.BOTH_BAD),
    ],
)
def test_spelling_of_the_ecosystem_is_understood(text: str, outcome: Outcome) -> None:
    assert parse_outcome(text) is outcome


@pytest.mark.parametrize("text", ["", "TIE", "model_c", "tie(bothbad)", "nan", None, ["tie"]])
def test_any_other_spelling_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(UnknownOutcomeError) as caught:
        parse_outcome(text)
    assert repr(text) in str(caught.value)


def test_stored_value_reads_back_as_its_outcome() -> None:
    assert [parse_outcome(outcome.value) for outcome in Outcome] == list(Outcome)


def test_flip_swaps_the_winner_and_leaves_ties() -> None:
    assert [outcome.flip() for outcome in OUTCOMES] == [
        Outcome.B_WINS,
        Outcome.A_WINS,
        Outcome.TIE,
        Outcome.BOTH_BAD,
    ]


@pytest.mark.parametrize("one", [1, "1", 1.0, "1.0", True, "True"])
def test_one_hot_columns_name_the_column_that_is_set(one: object) -> None:
    assert parse_one_hot(one, 0, "0") is Outcome.A_WINS
    assert parse_one_hot("0", one, None) is Outcome.B_WINS
    assert parse_one_hot(False, "0.0", one) is Outcome.TIE


def test_one_hot_without_a_set_column_says_nothing() -> None:
    assert parse_one_hot(0, 0, 0) is None


@pytest.mark.parametrize("values", [(1, 1, 0), (2, 0, 0), ("yes", 0, 0)])
def test_contradictory_one_hot_columns_are_an_error(values: tuple[object, object, object]) -> None:
    with pytest.raises(UnknownOutcomeError, match="winner_model_a="):
        parse_one_hot(*values)


def test_both_bad_is_half_a_win_or_dropped_by_name() -> None:
    assert score(Outcome.BOTH_BAD, "tie") == 0.5
    assert score(Outcome.BOTH_BAD, "drop") is None
    assert score(Outcome.TIE, "drop") == 0.5
    assert (score(Outcome.A_WINS, "tie"), score(Outcome.B_WINS, "tie")) == (1.0, 0.0)
    with pytest.raises(SettingsError, match="'maybe'"):
        score(Outcome.TIE, "maybe")  # type: ignore[arg-type]


def test_vote_that_both_models_lose_has_no_share_of_a_win() -> None:
    with pytest.raises(SettingsError, match="no winner"):
        score(Outcome.BOTH_BAD, "loss-to-the-field")


def test_unknown_treatment_of_ties_is_named() -> None:
    check_ties("davidson")
    with pytest.raises(SettingsError, match="'thirds'; choose one of half, drop, davidson"):
        check_ties("thirds")


def test_no_spelling_is_of_two_outcomes() -> None:
    assert len(SPELLINGS) == 15
    assert sorted({outcome.column for outcome in OUTCOMES}) == ["a_wins", "b_wins", "both_bad", "ties"]
