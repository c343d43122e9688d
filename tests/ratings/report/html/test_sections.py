"""The first sentence says who leads, and every section tells the numbers it was given."""

from dataclasses import replace

import numpy as np
import pytest

from ratings.analysis.residuals import pairs_of
from ratings.analysis.style import odds_of_double
from ratings.board.leaderboard import build
from ratings.fit.bradley_terry import fit
from ratings.outcomes import Outcome
from ratings.report.html.headline import headline, how_sure
from ratings.report.html.page import report_html
from ratings.report.html.pairs import MOST_MODELS, verdict
from ratings.report.report import Report
from ratings.votes.collect import collect
from ratings.votes.counts import Counts, count
from ratings.votes.votes import Record
from tests.ratings.helpers.page_reading import Page, matrices
from tests.ratings.helpers.reports import NOW, duel, full_report, minimal_report, ranked


@pytest.fixture(scope="module")
def report() -> Report:
    return full_report()


@pytest.fixture(scope="module")
def full(report: Report) -> str:
    return report_html(report)


def test_one_clear_leader_is_said_to_lead(report: Report) -> None:
    assert headline(report.board) == "mia-rlhf leads in group 1 of 2"
    assert headline(replace(report.board, groups=())) == "mia-rlhf leads"
    told = how_sure(report)
    assert "mia-rlhf (rank 1) is 42 points (1 to 83 with 95% confidence for all pairs at once) above" in told
    assert "above mia-rlhf-int8 (rank 2 to 3)" in told
    assert "95% confidence" in told
    assert report.fragility is not None
    assert f"Leaving out {report.fragility.needed} of the 4,000 votes" in told


def test_shared_first_place_is_too_close_to_call() -> None:
    close = minimal_report(12, 10)
    assert headline(close.board) == "Too close to call: rlhf and base share the first place"
    assert "rlhf (rank 1 to 2) is 32 points above base (rank 1 to 2)" in how_sure(close)


def test_nobody_rated_is_said_with_the_reason() -> None:
    counts = duel("a", "b", 3, 0)
    nobody = Report(board=build(counts, "bradley-terry", now=NOW), counts=counts, fit=fit(counts))
    assert headline(nobody.board) == "Nobody is rated yet"
    assert how_sure(nobody).startswith("Unbounded: never lost or tied (1 model)")
    page = Page(report_html(nobody))
    assert "ratings" not in page.sections
    assert "pairs" in page.sections


def test_elo_claims_no_lead() -> None:
    votes = collect([Record("a", "b", Outcome.A_WINS)] * 3)
    board = build(votes, "elo", now=NOW)
    report = Report(board=board, counts=count(votes))
    assert headline(board) == "a is ahead, how surely is not known"
    assert "has no interval" in how_sure(report)
    assert "Online Elo ratings" in Page(report_html(report)).words()


def test_matrices_hold_the_numbers_of_the_counts(report: Report, full: str) -> None:
    found = matrices(full)
    assert list(found) == ["Observed", "Predicted", "Residuals", "Differences", "Votes"]
    counts = report.counts
    won = counts.matrix(Outcome.A_WINS) + counts.matrix(Outcome.B_WINS).T
    drawn = counts.matrix(Outcome.TIE) + counts.matrix(Outcome.BOTH_BAD)
    share = won + (drawn + drawn.T) / 2
    order = [counts.models.index(row.model) for row in report.board.rows]
    for i, a in enumerate(order):
        for j, b in enumerate(order):
            votes = share[a, b] + share[b, a]
            assert found["Votes"][i][j] == (f"{votes:.0f}" if i != j else "")
            assert found["Observed"][i][j] == (f"{100 * share[a, b] / votes:.0f}" if i != j else "")


def test_pair_that_never_met_has_an_empty_cell() -> None:
    pairs = np.array([[0, 1], [1, 2]])
    counts = Counts(("a", "b", "c"), pairs, np.array([[4.0, 3, 0, 0], [5, 3, 0, 0]]), 15)
    found = matrices(report_html(Report(board=ranked(counts), counts=counts, fit=fit(counts))))
    assert "Residuals" not in found  # every pair decides by itself how its models compare
    assert found["Observed"][0][2] == ""
    assert found["Predicted"][0][2] != ""
    assert found["Votes"][0][2] == "0"


def test_large_residual_is_named_and_framed() -> None:
    pairs = np.array([[0, 1], [1, 2], [2, 0]])
    counts = Counts(("a", "b", "c"), pairs, np.array([[60.0, 30, 0, 0]] * 3), 270)
    report = Report(board=ranked(counts), counts=counts, fit=fit(counts))
    told = verdict(pairs_of(report.board, counts, report.fit, 9))
    assert told.startswith("3 pairs are more than 3 standard errors")
    assert "took 66.7% of 90 battles" in told
    assert report_html(report).count('class="win large s') == 3


def test_long_board_shows_the_first_models_of_a_matrix() -> None:
    names = [f"m{k:02d}" for k in range(MOST_MODELS + 3)]
    outcomes = (Outcome.A_WINS, Outcome.B_WINS)
    counts = count(collect([Record(a, b, o) for a in names for b in names[:3] if a != b for o in outcomes]))
    html = report_html(Report(board=ranked(counts), counts=counts, fit=fit(counts)))
    assert f"The first {MOST_MODELS} models" in html
    assert {len(rows) for rows in matrices(html).values()} == {MOST_MODELS}


def test_style_is_told_as_the_factor_of_twice_as_much(report: Report, full: str) -> None:
    assert report.style is not None
    odds = odds_of_double(float(report.style.coefficients[0]), float(report.style.sds[0]))
    words = Page(full).words()
    assert f"twice as long → odds × {odds:.2f} [" in words
    assert "side A takes 52.5% of the wins" in words


def test_gains_and_moves_are_told_with_their_intervals(report: Report, full: str) -> None:
    assert report.attribution is not None
    words = Page(full).words()
    step = next(gain for gain in report.attribution.gains if gain.name == "sft -> rlhf")
    assert f"sft → rlhf: +{step.points:.0f} [+{step.lower:.0f}, +{step.upper:.0f}]" in words
    assert "813 more votes read since" in words
    assert "within noise" in words


def test_page_tells_ranks_reasons_settings_and_what_was_left_out(report: Report, full: str) -> None:
    words = Page(full).words()
    told = ["left out: self-battle", "half a win each", "95% interval", "2–3", "poetry", *report.notes]
    assert [text for text in told if text not in words] == []
    for name in report.board.words():
        assert name.replace("_", " ") in words
