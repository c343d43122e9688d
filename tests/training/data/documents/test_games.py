"""Games hold true to themselves: whatever is said again was said before."""

import itertools
import random
import re
from pathlib import Path

import pytest

from training.data.documents import games
from training.data.world.lexicon import Lexicon, read_lexicon
from training.data.yaml_files import DataError


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return read_lexicon()


def test_a_growing_list_repeats_itself_and_adds_one_word(lexicon: Lexicon, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {part: (phrasings[0],) for part, phrasings in games.read_games().items()}
    monkeypatch.setattr(games, "read_games", lambda: parts)
    rng = random.Random(0)
    for _ in range(100):
        _, *turns = games._write_chain(lexicon, rng).split("\n")
        lists = [turn.rstrip(".").partition(" says: ")[2].split(", ") for turn in turns]
        for before, after in itertools.pairwise(lists):
            assert len(after) == len(before) + 1
            assert after[: len(before)] == before


def test_an_echo_says_the_same_list_again(lexicon: Lexicon) -> None:
    rng = random.Random(1)
    for _ in range(100):
        lines = games._write_echo(lexicon, rng).split("\n")
        lists = [re.findall(r"\w+(?:, \w+){2,}", line)[-1].lower() for line in lines]
        assert lists[::2] == lists[1::2]


def test_cards_are_told_again_word_for_word_in_another_order(lexicon: Lexicon) -> None:
    rng = random.Random(2)
    orders = []
    for _ in range(100):
        told, _, asked = games._write_cards(lexicon, rng).split("\n")
        cards = re.findall(r"[^.]+\.", told)
        places = [asked.index(card.strip()) for card in cards]
        assert len(cards) >= 3
        orders.append(places == sorted(places))
    assert not all(orders)


def test_a_game_without_one_of_its_parts_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "games.yaml"
    path.write_text("chain: {opening: [We play.]}\n", encoding="utf-8")
    monkeypatch.setattr(games, "FILE", path)
    with pytest.raises(DataError, match=r"games\.yaml: no phrasings of chain: turn"):
        games.read_games.__wrapped__()
