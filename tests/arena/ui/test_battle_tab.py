"""The page in a real browser, with scripted replies: from the prompt to the reveal."""

import re
from typing import TYPE_CHECKING

import pytest

from arena.backends.base import BackendError
from arena.ui.battle_tab import CHOICES
from tests.arena.helpers.played import Signal, make_reply
from tests.arena.helpers.served import Arena
from tests.arena.helpers.watch import VOTES, Open, Visit, expect, stored

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.slow


def test_a_battle_from_the_prompt_to_the_reveal(arena: "Arena", watch: Open) -> None:
    gate = Signal()
    arena.script("It is the opposite: ", gate, "**cold**.")
    page = watch()
    page.expect_no_vote()
    expect(page["new-battle"]).to_be_hidden()
    before = len(stored(arena))
    page.ask()
    for side in ("side-a", "side-b"):
        expect(page[side]).to_have_text("It is the op")  # the last letters are held back until both are whole
    expect(page["send"]).to_be_disabled()
    expect(page.prompt).to_have_value("")
    expect(page["asked"]).to_contain_text("What is the opposite of hot?")
    page.expect_no_vote()
    gate.set()
    for side in ("side-a", "side-b"):
        expect(page[side].locator("strong")).to_have_text("cold")
    page.expect_open_vote()
    expect(page["reveal"]).to_be_hidden()
    page["vote-b"].click()
    expect(page["reveal"]).to_contain_text("Your vote is stored.")
    page.expect_no_vote()
    votes = stored(arena)
    assert len(votes) == before + 1
    a, b, outcome = votes[-1]
    assert outcome == "model_b"
    expect(page["reveal"]).to_contain_text(f"You preferred {b}.")
    cards = page["reveal"].locator(".card")
    expect(cards.nth(0)).to_contain_text(f"A was {a}")
    expect(cards.nth(1)).to_contain_text(f"B was {b}")
    page["new-battle"].click()
    expect(page["reveal"]).to_be_hidden()
    expect(page.prompt).to_have_value("")
    expect(page["side-a"]).to_have_text("")
    page.ask("And of up?")
    page.expect_open_vote()
    assert len(stored(arena)) == before + 1
    page.check_clean()


@pytest.mark.parametrize("elem_id", VOTES)
def test_each_vote_button_stores_its_own_outcome(arena: "Arena", watch: Open, elem_id: str) -> None:
    page = watch()
    page.ask()
    page.expect_open_vote()
    page[elem_id].click()
    expect(page["reveal"]).to_contain_text("Your vote is stored.")
    assert stored(arena)[-1][2] == CHOICES[elem_id][1].value
    expect(page[elem_id]).to_have_class(re.compile(r"\bprimary\b"))
    page.check_clean()


def test_the_sides_on_the_page_are_the_sides_in_the_ledger(arena: "Arena", watch: Open) -> None:
    for name, backend in arena.backends.items():
        backend.steps = (make_reply(f"I am the one called {name[::-1]}."),)
    page = watch()
    page.ask()
    page.expect_open_vote()
    shown = [page[f"side-{side}"].inner_text() for side in "ab"]
    page["vote-a"].click()
    expect(page["reveal"]).to_contain_text("Your vote is stored.")
    a, b, outcome = stored(arena)[-1]
    assert [text.strip() for text in shown] == [f"I am the one called {name[::-1]}." for name in (a, b)]
    assert outcome == "model_a"
    assert stored(arena, "SELECT reply_a, reply_b FROM preferences ORDER BY created")[-1] == tuple(
        t.strip() for t in shown
    )


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("   ", "Type a prompt first"),
        ("x" * 3000, "at most 2,000 characters"),
        ("Hi <|im_start|>system", "control token"),
    ],
    ids=["blank", "long", "control token"],
)
def test_a_bad_prompt_shows_why_and_starts_no_battle(arena: "Arena", watch: Open, prompt: str, words: str) -> None:
    page = watch()
    before = stored(arena, "SELECT count(*) FROM battles")
    page.ask(prompt)
    expect(page["message"].locator("[role=alert]")).to_contain_text(words)
    assert stored(arena, "SELECT count(*) FROM battles") == before
    expect(page.prompt).to_have_value(prompt)
    page.expect_no_vote()
    page.ask("What is the opposite of hot?")
    page.expect_open_vote()
    expect(page["message"].locator(".alert")).to_have_count(0)
    page.check_clean()


def test_a_failed_reply_voids_the_battle_and_a_new_one_works(arena: "Arena", watch: Open) -> None:
    arena.script("It is ", BackendError("the weights are gone: /secret/path"))
    page = watch()
    before = stored(arena)
    page.ask()
    expect(page["message"]).to_contain_text("this battle is void")
    page.expect_no_vote()
    assert "/secret/path" not in page.page.content()
    assert stored(arena) == before
    expect(page["send"]).to_be_enabled()
    arena.script("It is cold.")
    page["new-battle"].click()
    expect(page["message"]).to_have_text("")
    page.ask()
    page.expect_open_vote()
    page["vote-tie"].click()
    expect(page["reveal"]).to_contain_text("You called it a tie.")
    assert len(stored(arena)) == len(before) + 1
    page.check_clean()


def test_after_a_failed_reply_the_next_prompt_works_without_a_click_between(arena: "Arena", watch: Open) -> None:
    arena.script(BackendError("gone"))
    page = watch()
    page.ask()
    expect(page["message"]).to_contain_text("this battle is void")
    arena.script("It is cold.")
    page.ask("Again?")
    page.expect_open_vote()
    expect(page["message"]).not_to_contain_text("void")
    page.check_clean()


def test_an_empty_reply_is_shown_as_one(arena: "Arena", watch: Open) -> None:
    silent, other = arena.backends.values()
    silent.play(make_reply(""))
    other.play(make_reply("It is cold."))
    page = watch()
    page.ask()
    page.expect_open_vote()
    shown = sorted(page[side].inner_text().strip() for side in ("side-a", "side-b"))
    assert shown == ["(an empty reply)", "It is cold."]


def test_equal_replies_get_a_message_and_take_no_vote(arena: "Arena", watch: Open) -> None:
    arena.script(make_reply("It is cold."))
    page = watch()
    before = stored(arena)
    page.ask()
    expect(page["message"]).to_contain_text("Both replies are the same")
    expect(page["side-a"]).to_have_text("It is cold.")
    page.expect_no_vote()
    expect(page["send"]).to_be_enabled()
    assert stored(arena) == before
    assert not any(name in page.page.content() for name in arena.backends)
    page.check_clean()


def test_a_reply_that_names_a_model_is_voted_on_and_not_counted(arena: "Arena", watch: Open) -> None:
    arena.script("Indeed I am Birch, at your service.")
    page = watch()
    before = stored(arena)
    page.ask()
    page.expect_open_vote()
    page["vote-a"].click()
    expect(page["reveal"]).to_contain_text("not counted: a reply names a model")
    assert stored(arena) == before
    [(reason,)] = stored(arena, "SELECT reason FROM set_aside ORDER BY created DESC LIMIT 1")
    assert reason == "a reply names a model"


def test_a_second_vote_on_a_prompt_is_kept_and_not_counted(arena: "Arena", watch: Open) -> None:
    page = watch()
    before = len(stored(arena))
    for words in ("Your vote is stored.", "not counted: you had voted on this prompt before"):
        page.ask("Is it the same?")
        page.expect_open_vote()
        warning = page["message"].get_by_text("You have voted on this prompt before")
        expect(warning).to_have_count(0 if words == "Your vote is stored." else 1)
        page["vote-a"].click()
        expect(page["reveal"]).to_contain_text(words)
    assert len(stored(arena)) == before + 1


def test_a_reload_brings_the_open_battle_back(arena: "Arena", watch: Open) -> None:
    arena.script("A reply that is still here.")
    page = watch()
    page.ask("Will you stay?")
    page.expect_open_vote()
    page.page.reload()
    for side in ("side-a", "side-b"):
        expect(page[side]).to_have_text("A reply that is still here.")
    expect(page["asked"]).to_contain_text("Will you stay?")
    page.expect_open_vote()
    before = len(stored(arena))
    page["vote-a"].click()
    expect(page["reveal"]).to_contain_text("Your vote is stored.")
    assert len(stored(arena)) == before + 1
    page.page.reload()
    expect(page["send"]).to_be_enabled()
    expect(page["side-a"]).to_have_text("")
    page.check_clean()


def test_a_reload_in_the_middle_brings_the_running_battle_back(arena: "Arena", watch: Open) -> None:
    gate = Signal()
    arena.script("It is the opposite: ", gate, "cold.")
    page = watch()
    page.ask()
    expect(page["side-b"]).to_have_text("It is the op")
    page.page.reload()
    expect(page["side-b"]).to_have_text("It is the op")
    page.problems.clear()  # Gradio's client mourns the stream that the reload cut
    page.expect_no_vote()
    gate.set()
    expect(page["side-b"]).to_have_text("It is the opposite: cold.")
    page.expect_open_vote()
    page.check_clean()


def test_a_second_tab_cannot_vote_on_the_same_battle_again(arena: "Arena", watch: Open, visit: Visit) -> None:
    context = visit()
    first = watch(context)
    first.ask()
    first.expect_open_vote()
    second = watch(context)
    second.expect_open_vote()
    before = len(stored(arena))
    first["vote-a"].click()
    expect(first["reveal"]).to_contain_text("Your vote is stored.")
    second["vote-b"].click()
    expect(second["message"]).to_contain_text("has its vote already")
    assert len(stored(arena)) == before + 1
    assert stored(arena)[-1][2] == "model_a"


def test_skipping_stores_no_vote_and_names_nobody(arena: "Arena", watch: Open) -> None:
    page = watch()
    before = stored(arena)
    page.ask()
    page.expect_open_vote()
    expect(page["new-battle"]).to_have_text("Skip")
    page["new-battle"].click()
    expect(page["side-a"]).to_have_text("")
    page.expect_no_vote()
    assert stored(arena) == before
    assert not any(name in page.page.content() for name in arena.backends)
    page.check_clean()


def test_enter_sends_the_prompt(watch: Open) -> None:
    page = watch()
    page.prompt.fill("What does a cow say?")
    page.prompt.press("Enter")
    page.expect_open_vote()
    page.check_clean()


def test_a_ready_prompt_fills_the_box(watch: Open) -> None:
    page = watch()
    page.page.get_by_role("button", name="Tell me a story.").click()
    expect(page.prompt).to_have_value("Tell me a story.")
    page.prompt.press("Enter")
    page.expect_open_vote()
    page.check_clean()


def test_the_leaderboard_tab_shows_the_votes(arena: "Arena", watch: Open) -> None:
    page = watch()
    for prompt in ("One?", "Two?"):
        page.ask(prompt)
        page.expect_open_vote()
        page["vote-tie"].click()
        expect(page["reveal"]).to_contain_text("Your vote is stored.")
    page.page.get_by_role("tab", name="Leaderboard").click()
    board = page["leaderboard"]
    for name in arena.backends:
        expect(board).to_contain_text(name)
    votes = len(stored(arena))
    row = board.locator("tbody tr").nth(0).locator("td")
    assert str(votes) in row.all_inner_texts()
    page.check_clean()
