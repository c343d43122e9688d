"""Passages: they tell what is asked, once, and answers quote the sentence they follow from."""

import random
import re
from pathlib import Path

import pytest

from training.data.corpus import Corpus
from training.data.documents import passages
from training.data.documents.passages import read_asked, write_passage_document
from training.data.tasks.draw import draw_example
from training.data.world.lexicon import COLOURS
from training.data.world.scenes import draw_children
from training.data.yaml_files import DataError


@pytest.mark.parametrize("name", ["who_has", "what_colour", "where_is", "what_has"])
def test_a_passage_tells_what_is_asked_and_only_once(whole: Corpus, name: str) -> None:
    rng = random.Random(2)
    for _ in range(200):
        e = draw_example(whole.tasks[name], whole.lexicon, rng, is_heldout=rng.random() < 0.5)
        passage = e.slots["passage"]
        assert e.slots["name"] in passage
        if name == "where_is":
            assert e.answers[0] in passage
        else:
            told = re.findall(rf"\b({'|'.join(COLOURS)}) {re.escape(e.slots['thing'])}\b", passage)
            assert told == [e.slots["colour"]]


@pytest.mark.parametrize("name", ["who_has", "what_colour", "where_is", "what_has"])
def test_an_answer_about_a_passage_quotes_the_sentence_it_follows_from(whole: Corpus, name: str) -> None:
    rng = random.Random(2)
    for i in range(200):
        e = draw_example(whole.tasks[name], whole.lexicon, rng, is_heldout=bool(i % 2), form="full")
        quote = e.slots["quote"]
        assert f" {quote} " in f" {e.slots['passage']} "
        assert e.answers[0].removeprefix("an ").removeprefix("a ") in quote
        assert e.slots["name"] in quote
        assert e.reply.startswith(quote)


def test_what_follows_a_passage_is_true_of_it(whole: Corpus) -> None:
    rng = random.Random(2)
    for _ in range(200):
        children = draw_children(whole.lexicon, rng, 3)
        passage, *lines = write_passage_document(children, rng).splitlines()
        assert lines
        true = [answer.fill(vars(child)) for child in children for _, answer in read_asked()]
        for child in children:
            assert child.name in passage
            assert child.at in passage
            assert f"{child.colour} {child.thing}" in passage
        for line in lines:
            assert any(line.endswith(said) for said in true), line


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("has: [x]\n", "nothing is asked"),
        ("asked:\n- [Who?]\n", "not a question and its answer"),
        ('asked:\n- ["Who?", "It is {nobody}."]\n', "nobody"),
    ],
)
def test_a_wrong_question_about_a_passage_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    monkeypatch.setattr(passages, "FILE", _write(tmp_path, text))
    passages.read_asked.cache_clear()
    with pytest.raises(DataError, match=problem):
        passages.read_asked()


def test_a_sentence_of_a_passage_that_no_answer_could_quote_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {
        "has": "There is {name} with a {colour} {thing}.",
        "owned": "The {colour} {thing} belongs to {name}.",
        "at": "{name} is {at}.",
        "both": "{name} is {at} with a {colour} {thing}.",
        "story_about": "Here are {count} children.",
    }
    text = "".join(f"{kind}: ['{sentence}']\n" for kind, sentence in rows.items())
    monkeypatch.setattr(passages, "FILE", _write(tmp_path, text))
    with pytest.raises(DataError, match=r"has: 'There is .* does not begin with \{name\}: put it first"):
        passages.read_passages.__wrapped__()
    mended = text.replace("There is {name} with", "{name} is here with")
    monkeypatch.setattr(passages, "FILE", _write(tmp_path, mended))
    assert passages.read_passages.__wrapped__()["has"]


def _write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path
