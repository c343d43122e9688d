"""A page continues with its battle after its connection is cut, its server restarts or its laptop slept."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.arena.helpers.cable import Cable, cable_to
from tests.arena.helpers.played import PATIENCE, Signal
from tests.arena.helpers.served import Arena, serve
from tests.arena.helpers.watch import Visit, Watch, expect, stored

pytestmark = pytest.mark.slow


def port_of(arena: Arena) -> int:
    return int(arena.url.rsplit(":", 1)[1])


@pytest.fixture
def cable(arena: Arena) -> Iterator[Cable]:
    with cable_to(port_of(arena)) as opened:
        yield opened


def open_page(arena: Arena, cable: Cable, visit: Visit) -> Watch:
    return Watch(visit(), arena, url=cable.url)


def expect_battle(page: Watch, text: str, *, patience: float = PATIENCE) -> None:
    for side in ("side-a", "side-b"):
        expect(page[side]).to_have_text(text, timeout=patience * 1000)
    page.expect_open_vote()


@pytest.mark.parametrize("seconds", [1, 5])
def test_a_cut_while_the_replies_are_written_ends_with_the_battle_on_the_page(
    arena: Arena, cable: Cable, visit: Visit, seconds: int
) -> None:
    gate = Signal()
    arena.script("It is as cold ", gate, "as it ever was.")
    page = open_page(arena, cable, visit)
    page.ask()
    expect(page["side-a"]).to_contain_text("It is")
    cable.pull()
    page.page.wait_for_timeout(seconds * 1000)
    gate.set()
    cable.plug_in()
    expect_battle(page, "It is as cold as it ever was.")


def test_a_vote_cast_during_a_cut_can_be_cast_again_and_what_was_typed_is_kept(
    arena: Arena, cable: Cable, visit: Visit
) -> None:
    arena.script("It is cold.")
    page = open_page(arena, cable, visit)
    page.ask()
    page.expect_open_vote()
    page.prompt.fill("And the opposite of wet?")
    before = len(stored(arena))
    cable.pull()
    page["vote-b"].click()
    expect(page["message"]).to_contain_text("The connection is lost.")
    cable.plug_in()
    page.page.wait_for_event("load", timeout=PATIENCE * 1000)
    expect_battle(page, "It is cold.")
    expect(page.prompt).to_have_value("And the opposite of wet?")
    page["vote-a"].click()
    expect(page["reveal"]).to_contain_text("Your vote is stored.")
    assert [outcome for *_, outcome in stored(arena)[before:]] == ["model_a"]


def test_a_connection_that_died_without_a_word_is_noticed(arena: Arena, cable: Cable, visit: Visit) -> None:
    gate = Signal()
    arena.script("It is as cold ", gate, "as it ever was.")
    page = open_page(arena, cable, visit)
    page.ask()
    expect(page["side-a"]).to_contain_text("It is")
    cable.mute()
    gate.set()
    # The browser tries its other dead connections first, each until it gives up.
    expect_battle(page, "It is as cold as it ever was.", patience=2 * PATIENCE)


def test_after_a_restart_the_page_takes_the_vote_on_its_battle(tmp_path: Path, visit: Visit) -> None:
    with serve(tmp_path) as first:
        cable = Cable(port_of(first))
        first.script("From before the restart.")
        page = open_page(first, cable, visit)
        page.ask()
        page.expect_open_vote()
    # The page has not noticed anything: nobody clicked, and nothing was being written.
    with serve(tmp_path) as second:
        cable.plug_in(port_of(second))
        page["vote-a"].click()
        expect(page["reveal"]).to_contain_text("Your vote is stored.")
        assert len(stored(second)) == 1
        cable.close()


def test_a_restart_while_the_replies_are_written_brings_the_page_back(tmp_path: Path, visit: Visit) -> None:
    gate = Signal()
    with serve(tmp_path) as first:
        cable = Cable(port_of(first))
        first.script("It is as cold ", gate, "as it ever was.")
        page = open_page(first, cable, visit)
        page.ask("Will this be lost?")
        expect(page["side-a"]).to_contain_text("It is")
        cable.pull()
    gate.set()
    with serve(tmp_path) as second:
        second.script("All is well.")
        cable.plug_in(port_of(second))
        page.page.wait_for_event("load", timeout=PATIENCE * 1000)
        expect(page["send"]).to_be_enabled()
        expect(page["message"]).to_contain_text("The server restarted while this was being answered")
        expect(page.prompt).to_have_value("Will this be lost?")
        page["send"].click()
        page.expect_open_vote()
        cable.close()


def test_what_was_typed_after_a_lost_battle_outlives_a_reload_and_the_lost_prompt_comes_once(
    tmp_path: Path, visit: Visit
) -> None:
    gate = Signal()
    with serve(tmp_path) as first:
        cable = Cable(port_of(first))
        first.script("It is as cold ", gate, "as it ever was.")
        page = open_page(first, cable, visit)
        page.ask("Will this be lost?")
        expect(page["side-a"]).to_contain_text("It is")
        cable.pull()
    gate.set()
    with serve(tmp_path) as second:
        cable.plug_in(port_of(second))
        page.page.wait_for_event("load", timeout=PATIENCE * 1000)
        expect(page.prompt).to_have_value("Will this be lost?")
        page.prompt.fill("My own, quite another one")
        page.page.reload()
        expect(page["send"]).to_be_enabled()
        expect(page.prompt).to_have_value("My own, quite another one")
        page.prompt.fill("")
        page.page.reload()
        expect(page["send"]).to_be_enabled()
        expect(page.prompt).to_have_value("")
        cable.close()


def test_a_second_tab_shows_what_the_first_one_voted_once_it_is_looked_at(arena: Arena, visit: Visit) -> None:
    arena.script("It is cold.")
    context = visit()
    first = Watch(context, arena)
    first.ask()
    first.expect_open_vote()
    second = Watch(context, arena)
    second.expect_open_vote()
    first["vote-a"].click()
    expect(first["reveal"]).to_contain_text("Your vote is stored.")
    second.page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    expect(second["reveal"]).to_contain_text("Your vote is stored.")
    second.expect_no_vote()


def test_a_battle_that_was_left_in_another_tab_says_so(arena: Arena, visit: Visit) -> None:
    arena.script("It is cold.")
    context = visit()
    first = Watch(context, arena)
    first.ask("One?")
    first.expect_open_vote()
    second = Watch(context, arena)
    second.expect_open_vote()
    second.ask("Two?")
    second.expect_open_vote()
    first["vote-a"].click()
    expect(first["message"]).to_contain_text("start a new one")
    first.expect_no_vote()
    second["vote-b"].click()
    expect(second["reveal"]).to_contain_text("Your vote is stored.")
