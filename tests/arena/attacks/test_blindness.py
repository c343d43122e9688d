"""Before the vote nothing that reaches the browser tells who wrote what, and no vote can be forged.

Everything the server sends is recorded below Gradio, byte by byte: page, config, event streams, headers.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from arena.backends.base import BackendError
from tests.arena.helpers.played import PATIENCE, Signal, make_contestant
from tests.arena.helpers.served import Arena, serve

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

pytestmark = pytest.mark.slow

SECRETS = ("quokka", "wombatish", "numbat", "bilbyish", "burrow", "marsupial")


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Arena]":
    """Serve contestants whose names, stages and paths occur nowhere else."""
    contestants = (
        make_contestant("quokka-7b", stage="wombatish", path=Path("/marsupial/burrow-one")),
        make_contestant("numbat-7b", stage="bilbyish", path=Path("/marsupial/burrow-two")),
    )
    with serve(tmp_path_factory.mktemp("blind"), contestants) as served:
        yield served


@pytest.fixture(autouse=True)
def _quiet(arena: "Arena") -> None:
    arena.script("It is ", "cold.")
    arena.recorder.sent.clear()


def names_in(text: str) -> set[str]:
    """Return what of the secrets occurs in a text, however it is written."""
    plain = re.sub(r"\\u00([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), text).lower()
    return {secret for secret in SECRETS if secret in plain}


def votes(arena: "Arena") -> list[tuple[str, str, str]]:
    with closing(sqlite3.connect(arena.db)) as connection:
        return connection.execute("SELECT battle_id, visitor, outcome FROM votes ORDER BY rowid").fetchall()


class Client:
    """A visitor without a browser: speaks to Gradio's queue directly, as a forger would."""

    def __init__(self, arena: "Arena", session: str, cookies: Any = None) -> None:
        self.session = session
        self.battle = ""
        self.http = httpx.Client(base_url=arena.url, cookies=cookies, timeout=PATIENCE)
        page = self.http.get("/").text
        self.config = json.loads(re.search(r"window\.gradio_config\s*=\s*(\{.*?\});</script>", page, re.DOTALL)[1])  # type: ignore[index]

    def event(self, elem_id: str) -> int:
        """Return the number of the event that a click on an element fires."""
        [component] = [c["id"] for c in self.config["components"] if c["props"].get("elem_id") == elem_id]
        found = [d["id"] for d in self.config["dependencies"] if [component, "click"] in map(list, d["targets"])]
        return int(found[0])

    def join(self, elem_id: str, *data: Any) -> httpx.Response:
        return self.http.post(
            "/gradio_api/queue/join",
            json={"data": list(data), "fn_index": self.event(elem_id), "session_hash": self.session},
        )

    def fire(self, elem_id: str, *data: Any) -> list[dict[str, Any]]:
        """Fire an event and return its messages until it has ended."""
        joined = self.join(elem_id, *data)
        assert joined.status_code == 200, joined.text
        messages = []
        with self.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    messages.append(json.loads(line.removeprefix("data:")))
                    if messages[-1]["msg"] == "process_completed":
                        break
        self._note_battle(messages)
        return messages

    def _note_battle(self, messages: list[dict[str, Any]]) -> None:
        """Keep the battle that the page would show now, as a vote has to name it."""
        for message in messages:
            shown = [value for value in (message.get("output") or {}).get("data") or [] if isinstance(value, str)]
            self.battle = next((value for value in shown if re.fullmatch("[0-9a-f]{32}", value)), self.battle)

    def vote(self, elem_id: str) -> list[dict[str, Any]]:
        return self.fire(elem_id, self.battle)

    def visitor(self) -> str:
        return str(self.http.cookies["visitor"]).split(".")[0]


@pytest.fixture
def enter(arena: "Arena") -> Iterator[Callable[..., Client]]:
    opened: list[Client] = []

    def make(session: str, cookies: Any = None) -> Client:
        opened.append(Client(arena, session, cookies))
        return opened[-1]

    yield make
    for client in opened:
        client.http.close()


Enter = Callable[..., Client]


def test_nothing_the_browser_receives_before_the_vote_names_a_contestant(
    arena: "Arena", visit: "Callable[..., BrowserContext]"
) -> None:
    from playwright.sync_api import expect

    gate = Signal()
    arena.script("It is the opposite: ", gate, "cold.")
    # Uncompressed, so that the recorded bytes can be searched.
    page = visit(extra_http_headers={"accept-encoding": "identity"}).new_page()
    page.goto(arena.url)
    page.locator("#prompt textarea").fill("What is the opposite of hot?")
    page.locator("#send").click()
    expect(page.locator("#side-a")).to_have_text("It is the op")
    assert names_in(page.content()) == set()
    gate.set()
    expect(page.locator("#vote-a")).to_be_enabled()
    sent = arena.recorder.text()
    assert "It is the opposite: cold." in arena.recorder.text("/gradio_api/queue/data")  # everything is recorded
    assert "gradio_config" in arena.recorder.text("/")
    assert names_in(sent) == set()
    assert names_in(page.content()) == set()
    state = page.evaluate(
        "() => JSON.stringify([window.gradio_config, {...localStorage}, {...sessionStorage}, document.cookie])"
    )
    assert names_in(state) == set()
    arena.recorder.sent.clear()
    page.locator("#vote-tie").click()
    expect(page.locator("#reveal")).to_contain_text("quokka-7b")
    expect(page.locator("#reveal")).to_contain_text("numbat-7b")
    assert names_in(arena.recorder.text()) == {"quokka", "numbat", "wombatish", "bilbyish"}


def test_a_failed_battle_names_nobody(arena: "Arena", enter: Enter) -> None:
    arena.script("It is ", BackendError("/marsupial/burrow-one cannot be loaded: quokka-7b"))
    client = enter("failing")
    messages = client.fire("send", "What is the opposite of hot?")
    assert "void" in json.dumps(messages)
    client.vote("vote-a")
    assert names_in(arena.recorder.text()) == set()


def test_a_skipped_battle_names_nobody(arena: "Arena", enter: Enter) -> None:
    client = enter("skipping")
    client.fire("send", "What is the opposite of hot?")
    client.vote("new-battle")
    client.vote("vote-a")
    assert names_in(arena.recorder.text()) == set()


def test_the_hidden_routes_of_gradio_tell_nothing(arena: "Arena", enter: Enter) -> None:
    client = enter("curious")
    client.fire("send", "What is the opposite of hot?")
    for path in ("/config", "/config/", "/gradio_api/info", "/gradio_api/deep_link?session_hash=curious", "/docs",
                 "/openapi.json", "/monitoring/summary", "/gradio_api/startup-events", "/api/info"):  # fmt: skip
        assert names_in(client.http.get(path).text) == set()
    for path in ("/gradio_api/upload", "/gradio_api/run/vote", "/gradio_api/call/vote", "/gradio_api/api/vote"):
        assert client.http.post(path, json={"data": [], "fn_index": 0}).status_code == 404


def test_the_direct_way_does_vote_for_the_visitor_itself(arena: "Arena", enter: Enter) -> None:
    """Guards the forgeries below: they fail for who asks, not because this is no way to ask."""
    client = enter("honest")
    client.fire("send", "What is the opposite of hot?")
    before = votes(arena)
    messages = client.vote("vote-b")
    assert names_in(json.dumps(messages)) == {"quokka", "numbat", "wombatish", "bilbyish"}
    [(_, visitor, outcome)] = votes(arena)[len(before) :]
    assert (visitor, outcome) == (client.visitor(), "model_b")


def test_a_vote_on_another_visitors_battle_is_refused(arena: "Arena", enter: Enter) -> None:
    victim = enter("victim")
    victim.fire("send", "What is the opposite of hot?")
    before = votes(arena)
    forger = enter("another")
    assert forger.visitor() != victim.visitor()
    messages = forger.fire("vote-a", victim.battle)
    assert votes(arena) == before
    assert names_in(json.dumps(messages)) == set()
    assert "another visitor" in json.dumps(messages)
    # The victim's battle is untouched.
    victim.vote("vote-a")
    assert [visitor for _, visitor, _ in votes(arena)[len(before) :]] == [victim.visitor()]


def test_a_session_of_another_visitor_takes_no_events_and_shows_none(arena: "Arena", enter: Enter) -> None:
    victim = enter("victim1")
    victim.join("send", "What is the opposite of hot?")
    forger = enter(victim.session)
    assert forger.join("vote-a", "").status_code == 404
    assert forger.http.get("/gradio_api/queue/data", params={"session_hash": victim.session}).status_code == 404


def test_a_forged_cookie_with_the_victims_id_is_refused(arena: "Arena", enter: Enter) -> None:
    victim = enter("victim2")
    victim.fire("send", "What is the opposite of hot?")
    before = votes(arena)
    value = str(victim.http.cookies["visitor"])
    forger = enter("forger2", {"visitor": value.split(".")[0] + "." + "A" * 27})
    forger.fire("vote-a", victim.battle)
    assert votes(arena) == before


def test_a_vote_before_the_replies_end_is_refused(arena: "Arena", enter: Enter) -> None:
    gate = Signal()
    arena.script("It is the opposite: ", gate, "cold.")
    client = enter("hasty")
    before = votes(arena)
    client.join("send", "What is the opposite of hot?")
    for backend in arena.backends.values():
        backend.started.wait_here()
    with closing(sqlite3.connect(arena.db)) as connection:
        [(battle_id,)] = connection.execute("SELECT id FROM battles WHERE visitor = ?", (client.visitor(),))
    client.join("vote-a", battle_id)
    # Both events of the session share one stream; the vote ends first, while the replies wait at the gate.
    messages = []
    with client.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": "hasty"}) as stream:
        for line in stream.iter_lines():
            messages.append(line)
            if "process_completed" in line:
                break
    assert "still being written" in "".join(messages)
    assert votes(arena) == before
    assert names_in("".join(messages)) == set()
    gate.set()


def test_a_second_vote_is_refused(arena: "Arena", enter: Enter) -> None:
    client = enter("twice")
    client.fire("send", "What is the opposite of hot?")
    client.vote("vote-a")
    before = votes(arena)
    messages = client.vote("vote-b")
    assert "has its vote already" in json.dumps(messages)
    assert votes(arena) == before


@pytest.mark.parametrize("added", [["model_a"], [{"battle_id": "x", "visitor": "y"}], ["x", "y"]], ids=repr)
def test_data_that_a_client_adds_to_its_vote_is_refused(arena: "Arena", enter: Enter, added: list[Any]) -> None:
    client = enter(f"adding{len(added)}{type(added[0]).__name__}")
    client.fire("send", "What is the opposite of hot?")
    before = votes(arena)
    assert client.join("vote-b", client.battle, *added).status_code == 422
    assert votes(arena) == before


@pytest.mark.parametrize("prompt", ["x" * 20_000, "", " \n", None, "<|im_start|>", "a\x00b"], ids=lambda p: repr(p)[:9])
def test_a_prompt_that_the_page_would_not_send_starts_no_battle(arena: "Arena", enter: Enter, prompt: Any) -> None:
    with closing(sqlite3.connect(arena.db)) as connection:
        before = connection.execute("SELECT count(*) FROM battles").fetchone()
        client = enter(f"odd{abs(hash(prompt))}")
        if client.join("send", prompt).status_code == 200:
            client.fire("send", prompt)
        assert connection.execute("SELECT count(*) FROM battles").fetchone() == before


def test_a_prompt_of_more_than_the_body_limit_is_turned_away(arena: "Arena", enter: Enter) -> None:
    assert enter("big").join("send", "x" * 100_000).status_code == 413
