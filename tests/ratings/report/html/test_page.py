"""The page stands alone, has a section for each thing the report knows, and lets no name become markup."""

import json
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from ratings.analysis.attribution import attribute
from ratings.analysis.fragility import fragility
from ratings.fit.bradley_terry import fit
from ratings.intervals.sandwich import covariance
from ratings.outcomes import Outcome
from ratings.report.html.page import SECTIONS, report_html
from ratings.report.json import to_json
from ratings.report.provenance import source_of, version_of_this
from ratings.report.report import Report
from ratings.votes.collect import collect
from ratings.votes.counts import count
from ratings.votes.votes import Record
from tests.ratings.helpers.page_reading import Page
from tests.ratings.helpers.reports import differences_of, full_report, minimal_report, ranked, simulated_votes

HOSTILE = "</script><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;\"$x$ %{y}"
ALL = {
    *("board", "ratings", "pairs", "series", "rates", "effects", "styled", "lineage", "categories"),
    *("changes", "fragility", "shuffles", "ties", "votes", "settings", "notes"),
}


@pytest.fixture(scope="module")
def report() -> Report:
    return full_report()


@pytest.fixture(scope="module")
def full(report: Report) -> str:
    return report_html(report)


def hostile_report() -> Report:
    """Return a report in which every text that could come from outside is hostile."""
    votes, _ = simulated_votes(600)
    names = tuple(f"{HOSTILE}{k}" for k in range(len(votes.models)))
    full = full_report()
    counts = count(replace(votes, models=names, left_out={HOSTILE: 2}))
    result, board = fit(counts), ranked(counts)
    board = replace(board, settings=replace(board.settings, anchor=(HOSTILE, 1000)), left_out={HOSTILE: 2})
    board = replace(
        board, rows=(*board.rows[:-1], replace(board.rows[-1], status=HOSTILE, rating=None)), groups=(board,)
    )
    assert full.series is not None
    assert full.style is not None
    assert full.changes is not None
    return replace(
        full,
        board=board,
        counts=counts,
        fit=result,
        categories={HOSTILE: board},
        style=replace(full.style, names=(HOSTILE, *full.style.names[1:])),
        styled_board=board,
        series=replace(full.series, models=names),
        attribution=attribute(
            names,
            result.strengths,
            covariance(result),
            parents={names[1]: names[0], names[2]: HOSTILE},
            stages={names[0]: HOSTILE, names[1]: "x"},
            tags={names[1]: (HOSTILE,)},
        ),
        fragility=fragility(result),
        voters=tuple(replace(one, model=HOSTILE, first=HOSTILE) for one in full.voters),
        changes=replace(
            full.changes, caveats=(HOSTILE,), moves=tuple(replace(m, model=HOSTILE) for m in full.changes.moves)
        ),
        notes=(HOSTILE,),
    )


def test_page_asks_the_network_for_nothing(full: str) -> None:
    page = Page(full)
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "img", "object", "base", "form")
        assert not {"src", "srcset", "action"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    style = full.split("<style>")[1].split("</style>")[0]
    assert "@import" not in style
    assert "url(" not in style


def test_page_runs_one_small_script_that_its_policy_names_by_hash(full: str) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", full, flags=re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    policy = next(one["content"] for tag, one in Page(full).tags if one.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert len(script) < 3_000
    assert full.count('class="figure"') == 8


def test_page_of_twenty_models_stays_below_300_kb(report: Report) -> None:
    names = [f"a-model-of-some-family-{k:02d}-of-many" for k in range(25)]
    pairs = [(a, b) for a in names for b in names if a != b]
    counts = count(collect([Record(a, b, outcome) for a, b in pairs for outcome in (Outcome.A_WINS, Outcome.TIE)]))
    board = ranked(counts)
    whole = replace(report, board=board, counts=counts, fit=fit(counts), pairwise=lambda: differences_of(board, counts))
    whole = replace(whole, elo_shuffles=None)
    assert len(report_html(whole).encode()) < 300_000


def test_page_tells_its_source_and_links_to_its_data(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner\n")
    told = replace(report, title="<Ours>", provenance=replace(source_of([path]), command="python -m ratings.compute"))
    html = report_html(told, beside=("leaderboard.json", "leaderboard.csv"))
    words = Page(html).words()
    digest = sha256(path.read_bytes()).hexdigest()
    for text in ("<Ours>", str(path), digest, "python -m ratings.compute", version_of_this()):
        assert text in words
    assert {"leaderboard.json", "leaderboard.csv"} <= {attributes.get("href") for _, attributes in Page(html).tags}
    assert "<title>&lt;Ours&gt;</title>" in html
    source = json.loads(to_json(told))["source"]
    assert source["sha256"] == {str(path): digest}
    assert source["version"] == version_of_this()
    assert len(source["sha256_of_counts"]) == 64


def test_wide_tables_take_the_keyboard_and_say_that_they_scroll(full: str) -> None:
    boxes = [attributes for _, attributes in Page(full).tags if attributes.get("class") == "scroll"]
    assert len(boxes) > 8
    for box in boxes:
        assert (box["tabindex"], box["role"]) == ("0", "region")
        assert (box["aria-label"] or "").endswith("scrolls sideways")


def test_every_tag_is_closed_in_order(full: str) -> None:
    for page in (full, report_html(minimal_report()), report_html(hostile_report())):
        parsed = Page(page)
        assert parsed.broken == []
        assert parsed.opened == []


def test_links_lead_to_sections_and_ids_are_unique(full: str) -> None:
    page = Page(full)
    links = [(attributes["href"] or "")[1:] for tag, attributes in page.tags if tag == "a"]
    assert links == page.sections
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_hostile_text_is_shown_as_text_and_never_as_markup() -> None:
    html = report_html(hostile_report())
    assert HOSTILE not in html
    page = Page(html)
    assert set(page.sections) == ALL
    assert page.words().count(" ".join(HOSTILE.split())) > 40
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert not {"img", "alert"} & {tag for tag, _ in page.tags}


def test_name_cannot_turn_the_sentence_around_it() -> None:
    assert "\u202e" not in Page(report_html(minimal_report(names=("evil\u202e", "b")))).words()


def test_full_report_has_every_section_in_the_order_of_the_page(full: str) -> None:
    page = Page(full)
    assert set(page.sections) == ALL
    assert len(page.sections) == len(SECTIONS)
    assert page.sections[:3] == ["board", "ratings", "pairs"]


def test_sections_without_data_are_left_out() -> None:
    assert Page(report_html(minimal_report())).sections == ["board", "ratings", "pairs", "votes", "settings"]


@pytest.mark.parametrize(
    ("field", "section"),
    [
        ("series", "series"),
        ("styled_board", "styled"),
        ("attribution", "lineage"),
        ("elo_shuffles", "shuffles"),
        ("changes", "changes"),
        ("tie_choice", "ties"),
    ],
)
def test_each_part_brings_its_own_section(report: Report, field: str, section: str) -> None:
    without = Page(report_html(replace(report, **{field: None}))).sections
    assert set(without) == ALL - {section}


def test_page_follows_the_readers_light_or_dark_without_script(full: str) -> None:
    style = full.split("<style>")[1].split("</style>")[0]
    assert "prefers-color-scheme: dark" in style
    assert 'name="viewport"' in full


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1200])
def test_page_draws_without_complaint_and_never_scrolls_sideways(browser: Browser, full: str, width: int) -> None:
    said: list[str] = []
    for html in (full, report_html(hostile_report())):
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.route("**/*", lambda route: route.abort())
        page.set_content(html)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.locator("svg.chart").count() >= 7
        page.close()
    assert said == []


@pytest.mark.slow
def test_board_sorts_by_a_click_and_from_the_keyboard(browser: Browser, report: Report, tmp_path: Path) -> None:
    rows = report.board.rows
    unrated = replace(rows[0], model="aa", rating=None, lower=None, upper=None, rank=None, rank_lower=None)
    path = tmp_path / "page.html"
    path.write_text(report_html(replace(report, board=replace(report.board, rows=(*rows, unrated), groups=()))))
    page = browser.new_page()
    page.goto(path.as_uri())

    def column(place: int) -> list[str]:
        return page.locator(f"#board tbody tr td:nth-child({place})").all_inner_texts()

    page.get_by_role("button", name="rating").click()
    assert column(2)[0] == rows[0].model
    page.get_by_role("button", name="rating").click()
    assert column(2)[:1] == [rows[-1].model]
    assert column(2)[-1].startswith("aa")  # without a number it stays last
    page.get_by_role("button", name="votes").focus()
    page.keyboard.press("Enter")
    votes = [int(text.replace(",", "")) for text in column(5)]
    assert votes == sorted(votes, reverse=True)
    page.close()
