"""Every spelling of an outcome, and none other."""

import pytest

from ratings.errors import SettingsError, UnknownOutcomeError
from ratings.outcomes import (
    OUTCOMES,
    SPELLINGS,
    Outcome,
    check_ties,
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


@pytest.mark.parametrize("text", ["", "ties", "model_c", "tie(bothbad)", "nan", None, ["tie"]])
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
    assert len(SPELLINGS) == 23
    assert sorted({outcome.column for outcome in OUTCOMES}) == ["a_wins", "b_wins", "both_bad", "ties"]
