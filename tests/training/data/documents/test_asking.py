"""Documents of questions and answers."""

import random
import re
from pathlib import Path

import pytest

from training.data.corpus import Corpus
from training.data.documents import asking
from training.data.documents.asking import write_asking
from training.data.tasks.draw import draw_example
from training.data.yaml_files import DataError


def test_a_document_of_questions_asks_all_of_them_in_one_form_and_by_the_same_children(whole: Corpus) -> None:
    rng = random.Random(2)
    examples = [draw_example(whole.tasks["opposite"], whole.lexicon, rng, form="full") for _ in range(3)]
    documents = {write_asking(examples, whole.lexicon, rng) for _ in range(200)}
    for text in documents:
        said = [line for line in text.split("\n") if line]
        assert len(said) == 6
        for e, asked, answered in zip(examples, said[::2], said[1::2], strict=True):
            assert (e.prompt in asked, e.reply in answered) == (True, True)
            assert asked.replace(e.prompt, "") == said[0].replace(examples[0].prompt, "")
        assert "Question: " not in text
    assert len({re.sub(r"[A-Z]\w+", "", text.split("\n")[1]) for text in documents}) > 8


def test_a_form_of_asking_without_its_question_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "asking.yaml"
    monkeypatch.setattr(asking, "FILE", path)
    path.write_text('- ["Teacher: {question}", "{name}: {answer}"]\n- ["What?", "{answer}"]\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"asking.yaml: 'What\?' leaves out {question}: put it in"):
        asking.read_asking.__wrapped__()
    path.write_text("- [only one]\n", encoding="utf-8")
    with pytest.raises(DataError, match="is not a question's line and an answer's: write both"):
        asking.read_asking.__wrapped__()
