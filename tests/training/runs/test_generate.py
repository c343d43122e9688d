"""Sampling in batches gives what each prompt would have got alone."""

from typing import Any

import pytest
import torch

from training.runs import generate as sampling
from training.runs.generate import Sample, ask, sample_replies

PROMPTS = ["Hello!", "What is the opposite of hot?", "Tell me a story about Anna and a cow.", "Hi"]


@pytest.fixture
def model(make_model: Any) -> Any:
    """A random model whose next token depends on all that it has read, its end token never likely."""
    model = make_model(seed=3, scale=4.0)
    model.generation_config.eos_token_id = [4]  # padding, as something it will hardly write
    return model


def greedy(model: Any, tokenizer: Any, prompts: list[str], tokens: int = 12) -> list[Sample]:
    return sample_replies(model, tokenizer, prompts, max_reply_tokens=tokens, temperature=0.0)


def test_greedy_replies_are_those_of_generate_one_by_one_without_padding(model: Any, tokenizer: Any) -> None:
    for prompt, sample in zip(PROMPTS, greedy(model, tokenizer, PROMPTS), strict=True):
        ids = tokenizer.apply_chat_template(ask(prompt), add_generation_prompt=True, return_tensors="pt")["input_ids"]
        whole = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)
        assert sample.prompt_ids == ids[0].tolist()
        assert sample.reply_ids == whole[0, ids.shape[1] :].tolist()
        assert sample.text == tokenizer.decode(sample.reply_ids, skip_special_tokens=True)


def test_replies_come_in_the_order_of_the_prompts_however_they_are_batched(
    model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = greedy(model, tokenizer, PROMPTS)
    monkeypatch.setattr(sampling, "BATCH", 3)
    assert greedy(model, tokenizer, PROMPTS) == together
    assert greedy(model, tokenizer, PROMPTS[::-1]) == together[::-1]
    assert len({tuple(sample.reply_ids) for sample in together}) == len(PROMPTS)


def test_a_reply_ends_with_its_first_end_token_and_is_finished(model: Any, tokenizer: Any) -> None:
    free = greedy(model, tokenizer, PROMPTS)
    end = free[1].reply_ids[4]
    model.generation_config.eos_token_id = [end, 4]
    ended = greedy(model, tokenizer, PROMPTS)
    assert ended[1].is_finished
    for before, after in zip(free, ended, strict=True):
        written = before.reply_ids
        assert after.is_finished == (end in written)
        assert after.reply_ids == (written[: written.index(end) + 1] if end in written else written)


def test_a_reply_that_reaches_the_limit_is_not_finished(model: Any, tokenizer: Any) -> None:
    samples = greedy(model, tokenizer, PROMPTS, tokens=5)
    assert [len(sample.reply_ids) for sample in samples] == [5] * len(PROMPTS)
    assert not any(sample.is_finished for sample in samples)


def test_no_prompt_has_no_reply(model: Any, tokenizer: Any) -> None:
    assert greedy(model, tokenizer, []) == []


def test_sampling_follows_torchs_seed_and_varies_without_it(model: Any, tokenizer: Any) -> None:
    def draw(seed: int) -> list[Sample]:
        torch.manual_seed(seed)
        return sample_replies(model, tokenizer, ["Hello!"] * 6, max_reply_tokens=8, temperature=1.0)

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    assert len({tuple(sample.reply_ids) for sample in draw(1)}) > 1


def test_a_low_temperature_comes_near_the_greedy_reply(model: Any, tokenizer: Any) -> None:
    cold = sample_replies(model, tokenizer, PROMPTS, max_reply_tokens=8, temperature=1e-4)
    assert cold == greedy(model, tokenizer, PROMPTS, tokens=8)
