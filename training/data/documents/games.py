"""Games in which earlier words are repeated: growing lists, echoes, cards that have to be remembered.

A small model learns facts first and copying last: after 16 million tokens of stories and questions alone it still
answered about people who were not in the text. Here nothing but copying helps, since words and names are drawn at
random, and stories and reading need what is learnt here. The phrasings are in text/games.yaml.
"""

from functools import cache
from random import Random

from training.data.world.lexicon import COLOURS, Lexicon
from training.data.world.phrasing import Phrasing, compile_phrasings
from training.data.world.pools import draw_words, join, nouns
from training.data.world.scenes import COINED, draw_distinct, draw_name, draw_thing, make_up_word
from training.data.yaml_files import TEXT, DataError, read_yaml

FILE = TEXT / "games.yaml"
PARTS = {
    ("chain", "opening"): (),
    ("chain", "turn"): ("name", "list"),
    ("echo", "say"): ("list",),
    ("echo", "again"): ("name", "list"),
    ("cards", "tell"): ("name", "item"),
    ("cards", "turn"): (),
    ("cards", "ask"): ("told",),
}


@cache
def read_games() -> dict[tuple[str, str], tuple[Phrasing, ...]]:
    """Read the phrasings by game and part.

    Raises:
        DataError: a part of a game is missing, or one of its phrasings has a slot that nothing fills.
    """
    tree = read_yaml(FILE)
    phrasings = {}
    for (game, part), slots in PARTS.items():
        if not tree.get(game, {}).get(part):
            raise DataError(f"{FILE}: no phrasings of {game}: {part}: write some with {', '.join(slots) or 'no slots'}")
        phrasings[game, part] = compile_phrasings(tree[game][part], slots, what=f"{FILE}: {game}: {part}")
    return phrasings


def write_game(lexicon: Lexicon, rng: Random) -> str:
    """Write one game."""
    return rng.choice((_write_chain, _write_echo, _write_cards, _write_cards))(lexicon, rng)


def _write_chain(lexicon: Lexicon, rng: Random) -> str:
    count = rng.randint(4, 7)
    words = _words(lexicon, rng, count)
    names = _names(lexicon, rng, count)
    turn = rng.choice(read_games()["chain", "turn"])
    lines = [turn.fill({"name": names[i], "list": join(words[: i + 1])}) for i in range(count)]
    return "\n".join([rng.choice(read_games()["chain", "opening"]).text, *lines])


def _write_echo(lexicon: Lexicon, rng: Random) -> str:
    say, again = (rng.choice(read_games()["echo", part]) for part in ("say", "again"))
    lines = []
    for _ in range(rng.randint(1, 3)):
        words = _words(lexicon, rng, rng.randint(3, 8))
        if rng.random() < 0.3:
            words = _names(lexicon, rng, len(words))
        slots = {"list": join(words), "name": _names(lexicon, rng, 1)[0]}
        lines += [say.fill(slots), again.fill(slots)]
    return "\n".join(lines)


def _write_cards(lexicon: Lexicon, rng: Random) -> str:
    count = rng.randint(3, 7)
    names = _names(lexicon, rng, count)
    items = draw_distinct(lambda: f"{rng.choice(COLOURS)} {draw_thing(lexicon, rng)}", count)
    if rng.random() < 0.4:
        items = draw_distinct(lambda: rng.choice(nouns(lexicon)).word, count)
    tell, turn, ask = (rng.choice(read_games()["cards", part]) for part in ("tell", "turn", "ask"))
    cards = [tell.fill({"name": name, "item": item}) for name, item in zip(names, items, strict=True)]
    asked = [ask.fill({"told": sentence}) for sentence in rng.sample(cards, count)]
    return f"{' '.join(cards)}\n{turn.text}\n{' '.join(asked)}"


def _words(lexicon: Lexicon, rng: Random, count: int) -> list[str]:
    """Draw different words; in half of the games some of them are made up."""
    words = draw_words(lexicon, rng, count)
    if rng.random() < 0.5:
        return words
    return draw_distinct(lambda: make_up_word(lexicon, rng) if rng.random() < COINED else rng.choice(words), count)


def _names(lexicon: Lexicon, rng: Random, count: int) -> list[str]:
    return draw_distinct(lambda: draw_name(lexicon, rng)[0], count)
