"""What people wrote: pairs, small talk, glosses."""

import re
from pathlib import Path

from training.data.documents.written import read_glosses, read_small_talk, read_written_pairs
from training.data.world.lexicon import read_lexicon

# Topics that date badly or would teach opinions.
LEFT_OUT = ("politics", "gossip", "ai", "botprofile", "computers", "coding", "tech_support", "money", "psychology")
WORD = re.compile(r"[A-Za-z']+")


def test_written_pairs_are_complete_and_each_prompt_stands_once() -> None:
    pairs = read_written_pairs()
    assert len(pairs) >= 400
    assert len({e.prompt for e in pairs}) == len(pairs)
    for e in pairs:
        assert e.reply.rstrip().endswith((".", "!", "?")), e
        assert e.reply.isascii()
        assert len(e.reply.split()) <= 45


def test_small_talk_comes_from_the_harmless_files_alone() -> None:
    import chatterbot_corpus
    import yaml

    folder = Path(chatterbot_corpus.__file__).parent / "data" / "english"
    files = {
        path.stem: {str(p) for p, *_ in yaml.safe_load(path.read_text(encoding="utf-8"))["conversations"]}
        for path in folder.glob("*.yml")
    }
    assert set(LEFT_OUT) < set(files)
    harmless = set.union(*(prompts for name, prompts in files.items() if name not in LEFT_OUT))
    talk = read_small_talk()
    assert len(talk) > 200
    assert {e.prompt for e in talk} <= harmless
    for e in talk:
        assert all(text.isascii() and "\n" not in text and 0 < len(text) <= 160 for text in (e.prompt, e.reply))


def test_glosses_are_short_and_free_of_what_is_held_out() -> None:
    lexicon = read_lexicon()
    glosses = read_glosses(lexicon)
    assert len({word for word, _ in glosses}) >= 300
    for word, gloss in glosses:
        assert word in lexicon.words
        assert word not in lexicon.heldout
        assert len(gloss.split()) <= 14
        assert gloss.isascii()
        assert lexicon.heldout.isdisjoint(WORD.findall(gloss))
