"""What is held out: prompts of every task, and nothing of it in a training text."""

import random
import re
from itertools import islice

import pytest

from training.data.corpus import MAKERS, Corpus
from training.data.documents.asking import read_asking
from training.data.tasks.tasks import read_tasks
from training.data.world.skeletons import read_stories
from training.data.yaml_files import DataError
from training.recipe import load_recipe

WORD = re.compile(r"[A-Za-z']+")


@pytest.fixture(scope="module")
def training_text(whole: Corpus) -> str:
    """Some million letters of what is trained on, every kind of document and example among them."""
    examples = islice(whole.draw_examples(random.Random(1)), 8000)
    said = [f"{e.prompt}\n{e.reply}" for e in [*examples, *whole.written_known]]
    return "\n".join([*islice(whole.documents(), 8000), *said])


def asked_in(text: str) -> set[str]:
    """Return the lines of a text and, of those that ask in a form of asking.yaml, what they ask."""
    lines = set(text.splitlines())
    forms = [
        re.compile(re.sub(r"\\{(name|friend)\\}", r"\\w+", re.escape(asking.text)).replace(r"\{question\}", "(.+)"))
        for asking, _ in read_asking()
    ]
    matches = (form.fullmatch(line) for line in lines for form in forms)
    return lines | {match.group(1) for match in matches if match}


def test_no_held_out_word_or_name_stands_in_a_training_text(whole: Corpus, training_text: str) -> None:
    said = set(WORD.findall(training_text)) | set(WORD.findall(training_text.lower()))
    assert len(whole.lexicon.heldout) >= 20
    assert said & whole.lexicon.heldout == set()


def test_no_held_out_plot_stands_in_a_training_text(training_text: str) -> None:
    pieces = [
        piece.strip()
        for story in read_stories()
        if story.is_heldout
        for step in story.steps
        for phrasing in step
        for piece in re.split(r"\{\w+\}", phrasing.text)
        if len(piece.split()) >= 5
    ]
    assert len(pieces) >= 10
    assert [piece for piece in pieces if piece in training_text] == []


def test_no_held_out_phrasing_stands_in_a_training_text(training_text: str) -> None:
    frames = {}
    for task in read_tasks().values():
        for phrasing in task.heldout:
            frames[phrasing.text] = re.compile(
                r"(?m)(?<!\w)"
                + r"[^\n?.!]{1,60}".join(re.escape(p) for p in re.split(r"an? \{\w+\}|\{\w+\}", phrasing.text))
            )
    # Only whole questions count: those of one line that are no passage.
    short = [line for line in asked_in(training_text) if len(line) < 90]
    assert len(short) > 10_000
    plain = {t: f for t, f in frames.items() if "{passage}" not in t and "{beginning}" not in t and "{clues}" not in t}
    plain = {t: f for t, f in plain.items() if "{first}" not in t}
    assert len(plain) > 60
    assert [(t, line) for t, frame in plain.items() for line in short if frame.fullmatch(line)] == []


def test_every_task_has_held_out_prompts_and_each_prompt_stands_once(whole: Corpus) -> None:
    heldout = whole.heldout()
    assert {e.task for e in heldout} == set(read_tasks())
    assert len({e.prompt for e in heldout}) == len(heldout)


def test_some_written_pairs_are_held_out_for_ever(whole: Corpus) -> None:
    kept = {e.prompt for e in whole.written_known}
    assert 0.9 < len(kept) / len(whole.written) < 1.0


def test_held_out_documents_are_of_the_kinds_that_have_something_held_out(
    whole: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in MAKERS:
        monkeypatch.setitem(MAKERS, kind, lambda corpus, rng, is_heldout, kind=kind: f"{kind} {is_heldout}")
    assert set(whole.heldout_documents()) == {"stories True", "passages True", "questions True"}
    assert set(islice(whole.documents(), 2000)) == {f"{kind} False" for kind in whole.data.mixture}


def test_no_question_of_a_held_out_document_is_asked_in_training(whole: Corpus, training_text: str) -> None:
    asked = [e.prompt for e in whole.heldout()]
    assert len(asked) > 1000
    assert set(asked) & asked_in(training_text) == set()


def test_a_mixture_without_anything_held_out_is_refused() -> None:
    data = load_recipe("nano").data.model_copy(update={"mixture": {"talk": 1.0}})
    with pytest.raises(DataError, match="nothing to measure on: give one of stories"):
        Corpus(data, 0).heldout_documents()
