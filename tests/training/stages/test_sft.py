"""Finetuning: rows in TRL's form, and a model that fits its tokenizer."""

from pathlib import Path
from typing import Any

import pytest

from training.data.corpus import Corpus
from training.data.world.examples import Example
from training.runs.checkpoint import CheckpointError
from training.runs.generate import Sample
from training.stages import sft
from training.stages.sft import conversations, measure_replies, require_vocabulary


def test_an_example_becomes_a_prompt_and_a_completion() -> None:
    [row] = conversations([Example("sum", "1 + 1?", "2.")])
    assert row["prompt"] == [{"role": "user", "content": "1 + 1?"}]
    assert row["completion"] == [{"role": "assistant", "content": "2."}]


def test_a_model_of_another_vocabulary_is_refused(make_model: Any, tokenizer: Any) -> None:
    require_vocabulary(make_model(), len(tokenizer), Path("base"))
    with pytest.raises(CheckpointError, match="base: the model has 400 tokens and its tokenizer 401"):
        require_vocabulary(make_model(), 401, Path("base"))


def test_replies_are_measured_by_the_rubric_and_by_whether_they_end(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [e for e in corpus.heldout() if e.answers][:4]
    texts = [(e.reply, True) for e in asked[:2]] + [("Moo.", False), ("Moo.", True)]
    samples = [Sample(text, is_finished, [], []) for text, is_finished in texts]
    monkeypatch.setattr(sft, "sample_replies", lambda *_, **__: samples)
    model: Any = None
    figures = measure_replies(model, model, asked, corpus, 8)
    assert (figures["exact"], figures["cut_off"]) == (0.5, 0.25)
    assert 0 < figures["rubric"] < 100
