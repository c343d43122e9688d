"""A report holds what its modules say by themselves, and a note wherever they cannot say it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ratings.analysis.attribution import attribute
from ratings.analysis.elo_shuffles import elo_over_shuffles
from ratings.analysis.fragility import fragility
from ratings.analysis.influence import influential_voters
from ratings.analysis.lineage import Lineage
from ratings.analysis.over_time import series
from ratings.analysis.position import fit_position
from ratings.analysis.style import fit_style, normalised_differences
from ratings.board.leaderboard import Leaderboard, Settings, build
from ratings.errors import NoVotesError, SettingsError, VotesError
from ratings.fit.bradley_terry import fit
from ratings.fit.ties import TieChoice, TieScore, choose_ties
from ratings.intervals.clustered import clustered
from ratings.intervals.differences import differences, sequence_differences
from ratings.intervals.sandwich import covariance
from ratings.ledger.reader import read_ledger_by_category
from ratings.outcomes import Outcome
from ratings.report import build as pipeline
from ratings.report.build import make_report
from ratings.report.json import to_csv, to_json, to_json_dict
from ratings.report.report import Report
from ratings.report.request import Request
from ratings.report.sources import Needs, Source, read_ledger_source
from ratings.report.text import report_text
from ratings.scale import POINTS_PER_NAT
from ratings.votes.collect import collect
from ratings.votes.counts import count
from ratings.votes.markdown import FEATURES
from ratings.votes.votes import Record, Votes, keep

NOW = datetime(2030, 2, 3, tzinfo=UTC)
A, B, TIE, BAD = Outcome.A_WINS, Outcome.B_WINS, Outcome.TIE, Outcome.BOTH_BAD
LINEAGE = Lineage(
    parents={"sft": "base", "rlhf": "sft", "rlhf-int8": "rlhf"},
    stages={"base": "base", "sft": "sft", "rlhf": "rlhf", "rlhf-int8": "rlhf"},
    tags={"rlhf-int8": ("int8",)},
)
FULL = Request(
    categories=("all",), by="day", lineage=LINEAGE, style=FEATURES, position=True, voters=True, elo_shuffles=3
)


@pytest.fixture(scope="module")
def source(full_ledger: Path) -> Source:
    return read_ledger_source(full_ledger, Needs(votes=True, categories=True, prompts=True, styles=True))


@pytest.fixture(scope="module")
def full(source: Source) -> Report:
    return report_of(source, FULL)


def report_of(source: Source, request: Request | None = None, **settings: Any) -> Report:
    return make_report(source, replace(request or Request(), settings=Settings(**settings)), now=NOW)


def votes_of(source: Source) -> Votes:
    assert source.votes is not None
    return source.votes


def duel(first: str, second: str, won: int, lost: int) -> list[Record]:
    return [Record(first, second, A)] * won + [Record(second, first, A)] * lost


def of_votes(*records: Record) -> Source:
    votes = collect(records)
    return Source(count(votes), votes)


def numbers(board: Leaderboard) -> dict[str, tuple[float | None, ...]]:
    return {row.model: (row.rating, row.lower, row.upper, row.rank, row.rank_upper) for row in board.rows}


def test_board_is_the_one_that_build_makes(source: Source) -> None:
    for method, settings in [("bradley-terry", {}), ("davidson", {}), ("elo", {}), ("bradley-terry", {"ties": "drop"})]:
        report = report_of(source, Request(method=method), **settings)
        assert report.board == build(votes_of(source), method, Settings(**settings), now=NOW)  # type: ignore[arg-type]


def test_parts_are_what_their_modules_say(source: Source, full: Report) -> None:
    votes, counts = votes_of(source), source.counts
    assert votes.time is not None
    assert votes.voter is not None
    result = fit(counts)
    assert full.fragility == fragility(result)
    assert full.voters == influential_voters(result, votes, votes.voter, ids=votes.voter_ids)
    direct = attribute(
        counts.models,
        result.strengths,
        clustered(votes, votes.voter, cap=np.inf).widened(0.95),
        parents=LINEAGE.parents,
        stages=LINEAGE.stages,
        tags=LINEAGE.tags,
    )
    assert full.attribution is not None
    assert [str(gain) for gain in full.attribution.gains] == [str(gain) for gain in direct.gains]
    assert {gain.name for gain in full.attribution.gains} >= {"base -> sft", "sft -> rlhf", "int8"}
    assert full.series is not None
    assert full.series.to_json_dict() == series(votes, votes.time, by="day").to_json_dict()
    assert full.position is not None
    assert full.position.covariates() == fit_position(counts).covariates()
    assert full.elo_shuffles is not None
    shuffled = elo_over_shuffles(votes, np.random.default_rng(0), 3)
    np.testing.assert_array_equal(full.elo_shuffles.mean, shuffled.mean)


def test_style_is_held_equal_with_the_side(source: Source, full: Report) -> None:
    assert source.styles is not None
    styled = fit_style(votes_of(source), normalised_differences(*source.styles), position=True)
    assert full.style is not None
    assert full.styled_board is not None
    assert full.style.names == (*FEATURES, "side A")
    assert full.style.covariates() == styled.covariates()
    place = {name: k for k, name in enumerate(source.counts.models)}
    for row in full.styled_board.rows:
        assert row.rating == pytest.approx(1000 + POINTS_PER_NAT * styled.strengths[place[row.model]])
    assert full.styled_board.left_out == styled.left_out
    assert "style not measured" in styled.left_out


def test_category_has_the_board_of_its_own_votes(source: Source, full: Report, full_ledger: Path) -> None:
    counted = read_ledger_by_category(full_ledger)
    assert set(full.categories) == {"facts", "stories"}
    for name, board in full.categories.items():
        plain = build(counted[name], "bradley-terry", Settings(interval="sandwich"), now=NOW)
        assert [row.rating for row in board.rows] == [pytest.approx(row.rating) for row in plain.rows]
        assert board.settings.cluster == "voter"
    one = report_of(source, Request(categories=("stories",)))
    assert one.categories == {"stories": full.categories["stories"]}
    elo = report_of(source, Request(method="elo", categories=("stories",))).categories["stories"]
    votes = votes_of(source)
    assert votes.category is not None
    inside = np.array(["stories" in names for names in votes.categories])[votes.category]
    assert numbers(elo) == numbers(build(keep(votes, inside), "elo", now=NOW))


def test_differences_stand_in_the_order_of_the_board(source: Source, full: Report) -> None:
    names = [row.model for row in full.board.rows]
    result = fit(source.counts)
    order = np.array([source.counts.models.index(name) for name in names])
    voter = votes_of(source).voter
    assert voter is not None
    joint = clustered(votes_of(source), voter, cap=np.inf).widened(0.95)[np.ix_(order, order)]
    direct = differences(result.strengths[order], joint, 0.95, rng=np.random.default_rng(0))
    assert full.differences is not None
    np.testing.assert_allclose(full.differences.upper, direct.upper)
    # The ranks' own draws reach as far as other draws do.
    assert full.differences.multiplier == pytest.approx(direct.multiplier, rel=0.03)
    reach = full.differences.multiplier * direct.error
    np.testing.assert_allclose(full.differences.joint_upper, direct.estimate + reach)
    neighbours = to_json_dict(full)["differences"]["neighbours"]
    assert [(pair["first"], pair["second"]) for pair in neighbours] == list(pairwise(names))
    assert neighbours[0]["points"] == pytest.approx(full.board.rows[0].rating - full.board.rows[1].rating)  # type: ignore[operator]
    assert neighbours[0]["joint_lower"] < neighbours[0]["lower"] < neighbours[0]["points"]


@pytest.mark.parametrize("cluster", ["voter", "prompt"])
def test_clustered_intervals_are_those_of_the_module(source: Source, cluster: str) -> None:
    votes = votes_of(source)
    codes = votes.voter if cluster == "voter" else votes.prompt
    assert codes is not None
    direct = clustered(votes, codes)
    board = report_of(source, interval="clustered", cluster=cluster).board
    half = 1.959964 * POINTS_PER_NAT * np.sqrt(np.diag(direct.widened(0.95)))
    for k, name in enumerate(source.counts.models):
        row = next(row for row in board.rows if row.model == name)
        assert row.upper - row.rating == pytest.approx(half[k], rel=1e-5)  # type: ignore[operator]
    assert cluster in str(board.words()["interval"])


def test_clustered_intervals_warn_of_few_clusters_and_need_to_know_them(source: Source) -> None:
    votes = votes_of(source)
    few = replace(source, votes=replace(votes, voter=np.arange(votes.used) % 15))
    assert any("too narrow" in note for note in report_of(few, interval="clustered").notes)
    with pytest.raises(VotesError, match="who cast them"):
        report_of(replace(source, votes=replace(votes, voter=None)), interval="clustered")


def test_bootstrap_agrees_with_the_sandwich_and_repeats_itself(source: Source) -> None:
    done: list[int] = []
    request = Request(settings=Settings(interval="bootstrap"))
    drawn = make_report(source, request, now=NOW, progress=done.append).board
    assert sum(done) == 500
    assert drawn == report_of(source, interval="bootstrap").board
    plain = numbers(report_of(source).board)
    for model, (rating, lower, upper, *_) in numbers(drawn).items():
        assert rating == plain[model][0]
        assert upper - lower == pytest.approx(plain[model][2] - plain[model][1], rel=0.2)  # type: ignore[operator]


@pytest.mark.parametrize("interval", ["sandwich", "clustered", "bootstrap", "sequence"])
def test_anchor_moves_the_whole_report_by_one_number(source: Source, interval: str) -> None:
    request = Request(categories=("all",), by="week", lineage=LINEAGE, style=FEATURES)
    plain, anchored = (
        report_of(source, request, interval=interval, anchor=anchor) for anchor in (None, ("base", 800.0))
    )
    assert plain.differences is not None
    assert anchored.differences is not None
    np.testing.assert_array_equal(plain.differences.joint_lower, anchored.differences.joint_lower)
    assert plain.attribution == anchored.attribution
    assert plain.attribution is not None
    boards = [(plain.board, anchored.board), (plain.styled_board, anchored.styled_board)]
    boards += [(board, anchored.categories[name]) for name, board in plain.categories.items()]
    for before, after in boards:
        assert before is not None
        assert after is not None
        old, new = numbers(before), numbers(after)
        assert new["base"][0] == pytest.approx(800)
        shift = new["base"][0] - old["base"][0]  # type: ignore[operator]
        for model, (*points, rank, worst) in old.items():
            assert new[model][:3] == pytest.approx([n and n + shift for n in points])
            assert new[model][3:] == (rank, worst)
    assert anchored.series is not None
    assert anchored.series.ratings[-1, 0] == pytest.approx(800)


def test_sequence_orders_only_what_its_joint_differences_order(source: Source) -> None:
    result = fit(source.counts)
    joint = sequence_differences(result.strengths, covariance(result), 0.95)
    best = 1 + (joint.joint_lower > 0).sum(axis=0)
    board = report_of(source, interval="sequence").board
    assert {row.model: row.rank for row in board.rows} == dict(zip(source.counts.models, best.tolist(), strict=True))
    assert (joint.joint_upper >= joint.upper).all()
    early = report_of(of_votes(*duel("a", "b", 5, 3)), interval="sequence")
    assert any("2 of 2 models have no interval yet" in note for note in early.notes)


def test_models_that_no_votes_join_get_a_board_of_their_own() -> None:
    apart = of_votes(*duel("a", "b", 9, 4), *duel("b", "c", 6, 5), *duel("x", "y", 8, 2))
    report = report_of(apart, anchor=("a", 0.0))
    (board,) = report.board.groups
    assert numbers(board) == numbers(build(count(collect(duel("x", "y", 8, 2))), "bradley-terry", now=NOW))
    assert {row.model for row in report.board.rows if row.rating is not None} == {"a", "b", "c"}
    assert report_of(apart, prior=pipeline_prior()).board.groups == ()
    assert report_of(apart, ties="davidson").board.groups == ()  # without a tie it rates nobody


def pipeline_prior() -> Any:
    from ratings.fit.prior import Prior

    return Prior(200.0)


def test_votes_that_cannot_tell_a_part_make_a_note_of_it() -> None:
    bare = of_votes(*duel("a", "b", 9, 4), *duel("b", "a", 3, 3))
    request = Request(by="day", voters=True, style=FEATURES, categories=("all",), lineage=LINEAGE)
    report = report_of(replace(bare, no_styles="no replies here"), request)
    for said in (
        "by day: no vote records when",
        "voters: no vote records who",
        "style: no replies here",
        "categories: no vote",
    ):
        assert any(note.startswith(said) for note in report.notes), said
    assert report.attribution is not None
    assert report.attribution.gains == ()
    assert (report.series, report.style, report.styled_board, report.voters) == (None, None, None, ())


def test_parts_that_a_fit_does_not_allow_make_a_note_of_it(source: Source) -> None:
    for settings in ({"ties": "davidson"}, {"prior": pipeline_prior()}, {"both_bad": "loss-to-the-field"}):
        report = report_of(source, **settings)
        assert report.fragility is None
        assert any(note.startswith("fragility: ") for note in report.notes)
        assert report.board.rows[0].rating is not None
    one_sided = report_of(of_votes(*[Record("a", "b", A)] * 5, *[Record("a", "b", B)] * 3))
    assert one_sided.position is None
    assert any(note.startswith("position bias: ") for note in one_sided.notes)
    quiet = report_of(source, Request(method="elo", position=False, fragility=False))
    assert quiet.notes == ()


def test_unknown_category_is_an_error_that_names_the_known_ones(source: Source) -> None:
    with pytest.raises(SettingsError, match="'poems'; there are 'facts', 'stories'"):
        report_of(source, Request(categories=("facts", "poems")))


def test_choice_is_the_modules_own_and_is_followed(source: Source) -> None:
    report = report_of(source, Request(choose=True))
    choice = choose_ties(source.counts, np.random.default_rng(0))
    assert report.tie_choice == choice
    direct = build(source.counts, "bradley-terry", Settings(ties=choice.ties), now=NOW, votes=source.votes)
    assert report.board == direct
    assert f"ties: {choice.ties} predicts held-out votes best" in report_text(report)


def test_choice_without_the_interval_asked_for_falls_to_the_next_and_says_so(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = (TieScore("davidson", 0.5, 0, 0, 0), TieScore("drop", 0.6, 0, 0.1, 0), TieScore("half", 0.7, 0, 0.2, 0))
    choice = TieChoice("davidson", scores, (), 100, 5)
    monkeypatch.setattr(pipeline, "choose_ties", lambda *_, **__: choice)
    assert report_of(source, Request(choose=True)).board.method == "davidson"
    assert report_of(source, Request(choose=True), interval="clustered").board.method == "davidson"
    report = report_of(source, Request(choose=True), interval="bootstrap")
    assert report.board.settings.ties == "drop"
    assert any("davidson predicts held-out votes best" in note for note in report.notes)


def test_nothing_to_rate_is_an_error() -> None:
    with pytest.raises(NoVotesError):
        report_of(of_votes(Record("a", "b", None)))


def test_json_is_strict_and_opens_with_the_keys_of_the_board(full: Report) -> None:
    told = json.loads(to_json(full), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert list(told)[:6] == ["created", "method", "settings", "votes", "rows", "components"]
    assert {key: told[key] for key in list(told)[:6]} == json.loads(json.dumps(full.board.to_json_dict()))
    added = ["differences", "ties", "tie_parameter", "categories", "position", "style", "series", "other_series"]
    later = ["attribution", "elo_shuffles", "fragility", "voters", "changes", "notes", "title", "source"]
    assert list(told)[6:] == [*added, *later]
    assert told["attribution"]["gains"][0]["name"] == "base -> sft"
    assert told["categories"]["facts"]["votes"]["used"] == 196
    early = json.loads(to_json(report_of(of_votes(*duel("a", "b", 5, 3)), interval="sequence")))
    assert early["differences"]["neighbours"][0]["lower"] is None


def test_many_models_are_told_by_their_neighbours_alone() -> None:
    names = [f"m{k:02d}" for k in range(51)]
    ring = [vote for a, b in zip(names, names[1:] + names[:1], strict=True) for vote in duel(a, b, 4, 3)]
    told = to_json_dict(report_of(of_votes(*ring), Request(fragility=False)))
    assert told["differences"]["all"] is None
    assert len(told["differences"]["neighbours"]) == 50


def test_names_that_a_spreadsheet_would_run_are_defused() -> None:
    rows = of_votes(*duel("=1+1", "-plain", 3, 2), *duel("-plain", "good", 3, 3), *duel("@x", "good", 2, 2))
    column = {line.split(",")[0] for line in to_csv(report_of(rows).board).splitlines()[1:]}
    assert column == {"'=1+1", "'-plain", "good", "'@x"}


def test_text_fits_a_hundred_columns_and_tells_what_was_asked(full: Report) -> None:
    text = report_text(full)
    assert max(map(len, text.splitlines())) <= 100
    for said in ("facts, 196 votes", "position, between equals", "with style held equal"):
        assert said in text, said
    for said in ("base -> sft: +", "int8: ", "Elo over 3 orders", "first place: dropping", "by day: 21 entries"):
        assert said in text, said
    assert str(full.attribution.gains[0]) in text  # type: ignore[union-attr]
