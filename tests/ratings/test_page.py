"""The HTML page stands alone, shows every model, and lets no name become markup."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from ratings.counts import count
from ratings.leaderboard import build
from ratings.outcomes import Outcome
from ratings.page import leaderboard_html
from ratings.plots import MOST_MODELS, interval_figure, win_rate_figure
from ratings.votes import Votes

NOW = datetime(2030, 1, 2, tzinfo=UTC)
A, B, TIE, BAD = Outcome
HOSTILE = "</script><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;\""

MakeVotes = Callable[..., Votes]


class Tags(HTMLParser):
    """Collect the tags with their attributes, and the text outside scripts."""

    def __init__(self, page: str) -> None:
        """Parse the page."""
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep the text unless it is code."""
        if self.tags and self.tags[-1][0] not in ("script", "style"):
            self.text.append(data)


@pytest.fixture
def votes(make_votes: MakeVotes) -> Votes:
    """Return votes among a hostile name, a plain one and one that cannot be rated."""
    rows = [(HOSTILE, "plain", A)] * 8 + [("plain", HOSTILE, A)] * 5 + [("plain", HOSTILE, BAD)]
    return make_votes([*rows, ("loser", "plain", B), ("plain", "plain", TIE)])


@pytest.mark.parametrize("method", ["bradley-terry", "elo"])
def test_page_asks_the_network_for_nothing(votes: Votes, method: str) -> None:
    parsed = Tags(leaderboard_html(build(votes, method, now=NOW), count(votes)))
    for tag, attributes in parsed.tags:
        assert tag not in ("link", "iframe", "img", "object", "base")
        assert not {"src", "href", "srcset"} & set(attributes)
    assert sum(tag == "script" for tag, _ in parsed.tags) == 3  # plotly.js and two figures
    assert "@import" not in leaderboard_html(build(votes, method, now=NOW), count(votes)).split("<script>")[0]


def test_hostile_name_is_shown_as_text_and_never_as_markup(votes: Votes) -> None:
    page = leaderboard_html(build(votes, "bradley-terry", now=NOW), count(votes))
    assert HOSTILE not in page
    assert "<img" not in page.split("</script>")[-1]
    parsed = Tags(page)
    assert HOSTILE in "".join(parsed.text)
    assert not any(name.startswith("on") for _, attributes in parsed.tags for name in attributes)


def test_page_tells_reasons_settings_and_what_was_left_out(votes: Votes) -> None:
    text = " ".join(Tags(leaderboard_html(build(votes, "bradley-terry", now=NOW), count(votes))).text)
    for expected in (
        "unbounded: never won or tied",
        "left out: self-battle",
        "half a win each",
        "95% interval",
    ):
        assert expected in text


def test_page_follows_the_readers_light_or_dark_without_script(votes: Votes) -> None:
    page = leaderboard_html(build(votes, "bradley-terry", now=NOW), count(votes))
    style = page.split("<style>")[1].split("</style>")[0]
    assert "prefers-color-scheme: dark" in style
    assert 'name="viewport"' in page


def test_page_without_a_rating_still_has_its_table(make_votes: MakeVotes) -> None:
    votes = make_votes([("a", "b", A)])
    text = " ".join(Tags(leaderboard_html(build(votes, "bradley-terry", now=NOW), count(votes))).text)
    assert "never lost or tied" in text
    assert "Head to head" in text


def test_whiskers_reach_the_bounds_of_the_interval(votes: Votes) -> None:
    board = build(votes, "bradley-terry", now=NOW)
    (trace,) = interval_figure(board).data
    best = board.rows[0]
    assert trace.x[0] == best.rating
    assert trace.x[0] + trace.error_x.array[0] == pytest.approx(best.upper)
    assert trace.x[0] - trace.error_x.arrayminus[0] == pytest.approx(best.lower)
    assert len(trace.x) == 2


def test_win_rate_counts_both_sides_and_half_of_ties(make_votes: MakeVotes) -> None:
    rows = [("a", "b", A)] * 2 + [("b", "a", A), ("b", "a", TIE), ("a", "b", BAD)]
    votes = make_votes(rows)
    (trace,) = win_rate_figure(build(votes, "bradley-terry", now=NOW), count(votes)).data
    assert [list(line) for line in trace.z] == [[None, 2.5 / 4], [1.5 / 4, None]]


def test_names_in_figures_are_escaped_and_long_lists_cut(make_votes: MakeVotes) -> None:
    names = [f"<b>{i:02d}</b>" for i in range(MOST_MODELS + 3)]
    votes = make_votes([(a, b, outcome) for a in names for b in names[:3] if a != b for outcome in (A, B)])
    board, counts = build(votes, "bradley-terry", now=NOW), count(votes)
    figure = win_rate_figure(board, counts)
    assert len(figure.data[0].z) == MOST_MODELS
    for drawn in (figure, interval_figure(board)):
        names_drawn = re.findall(r"<b>\d\d</b>", json.dumps(json.loads(drawn.to_json())))
        assert names_drawn == []
