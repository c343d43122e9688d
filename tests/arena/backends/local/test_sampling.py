"""Sampling row by row: the right distribution, the nucleus, and independence of other rows."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from arena.backends.local.sampling import RowSampler, keep_likeliest
from arena.contestants import Sampling

LOGITS = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0, -2.0])
IDS = torch.zeros((1, 1), dtype=torch.long)


def draw(sampling: Sampling, seeds: range, logits: torch.Tensor = LOGITS) -> torch.Tensor:
    """Return the first token drawn with each seed, (n_seeds,)."""
    sampler = RowSampler([sampling] * len(seeds), list(seeds))
    return sampler(IDS, logits.repeat(len(seeds), 1)).argmax(-1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_over_many_seeds_follow_the_softmax(temperature: float) -> None:
    n = 6000
    drawn = draw(Sampling(temperature=temperature, top_p=1.0), range(n))
    seen = torch.bincount(drawn, minlength=len(LOGITS)).numpy()
    expected = (LOGITS.double() / temperature).softmax(-1).numpy() * n
    assert chisquare(seen, expected * (n / expected.sum())).pvalue > 0.001


def test_draws_of_one_row_over_many_steps_follow_the_softmax() -> None:
    sampler = RowSampler([Sampling(temperature=1.0, top_p=1.0)], [11])
    n = 4000
    drawn = [int(sampler(IDS, LOGITS[None]).argmax()) for _ in range(n)]
    expected = LOGITS.double().softmax(-1).numpy() * n
    assert chisquare(np.bincount(drawn, minlength=len(LOGITS)), expected * (n / expected.sum())).pvalue > 0.001


def test_draws_within_the_nucleus_keep_their_proportions() -> None:
    n = 4000
    drawn = draw(Sampling(temperature=1.0, top_p=0.8), range(n))
    seen = torch.bincount(drawn, minlength=len(LOGITS)).numpy()
    p = LOGITS.double().softmax(-1).numpy()  # 0.577 0.212 0.129 ...: two tokens fall short of 0.8, three reach it
    assert seen[3:].sum() == 0
    expected = p[:3] / p[:3].sum() * n
    assert chisquare(seen[:3], expected).pvalue > 0.001


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(1.0, {0, 1, 2, 3}), (0.96, {0, 1, 2, 3}), (0.94, {0, 1, 2}), (0.6, {0, 1}), (0.4, {0}), (1e-6, {0})],
)
def test_the_nucleus_is_the_smallest_set_that_reaches_top_p(top_p: float, kept: set[int]) -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    found = keep_likeliest(logits, [0] * len(logits), torch.tensor([[top_p]]))
    assert set(torch.isfinite(found[0]).nonzero().flatten().tolist()) == kept
    assert torch.equal(found[torch.isfinite(found)], logits[torch.isfinite(found)])


def test_the_nucleus_is_cut_row_by_row_and_in_any_order_of_tokens() -> None:
    logits = torch.tensor([[0.05, 0.5, 0.15, 0.3], [0.3, 0.15, 0.5, 0.05]]).log()
    found = keep_likeliest(logits, [0] * len(logits), torch.tensor([[0.6], [0.94]]))
    assert torch.isfinite(found).tolist() == [[False, True, False, True], [True, True, True, False]]


def test_temperature_0_takes_the_best_token_whatever_the_seed() -> None:
    assert draw(Sampling(temperature=0.0, top_p=0.5), range(200)).tolist() == [0] * 200


def test_different_seeds_draw_differently() -> None:
    assert len(set(draw(Sampling(temperature=1.0, top_p=1.0), range(50)).tolist())) > 1


def test_a_row_draws_the_same_in_every_batch() -> None:
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn((4, 30, 50), generator=generator)  # (rows, steps, vocabulary)
    sampling = [Sampling(temperature=t, top_p=p) for t, p in ((0.8, 0.95), (0.0, 1.0), (1.5, 0.7), (5.0, 1.0))]
    seeds = [3, 1, 4, 3]
    together = RowSampler(sampling, seeds)
    tokens = torch.stack([together(IDS, logits[:, step]).argmax(-1) for step in range(30)], dim=1)
    for row in range(4):
        alone = RowSampler([sampling[row]], [seeds[row]])
        drawn = [int(alone(IDS, logits[row : row + 1, step]).argmax()) for step in range(30)]
        assert drawn == tokens[row].tolist()
    assert tokens[1].tolist() == logits[1].argmax(-1).tolist()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_row_without_numbers_is_remembered_and_the_others_draw_as_they_would(bad: float) -> None:
    logits = LOGITS.repeat(3, 1)
    logits[1, 2] = bad
    sampler = RowSampler([Sampling()] * 3, [1, 2, 3])
    drawn = sampler(IDS, logits).argmax(-1)
    sampler(IDS, LOGITS.repeat(3, 1))
    assert sampler.is_broken.tolist() == [False, True, False]
    expected = RowSampler([Sampling()] * 3, [1, 2, 3])(IDS, LOGITS.repeat(3, 1)).argmax(-1)
    assert drawn[[0, 2]].tolist() == expected[[0, 2]].tolist()


def test_tokens_that_a_model_rules_out_break_no_row() -> None:
    logits = LOGITS[None].clone()
    logits[0, 1:] = float("-inf")
    sampler = RowSampler([Sampling()], [1])
    assert sampler(IDS, logits).argmax(-1).tolist() == [0]
    assert sampler.is_broken.tolist() == [False]
    sampler(IDS, torch.full((1, 6), float("-inf")))
    assert sampler.is_broken.tolist() == [True]


def as_transformers(sampling: Sampling, said: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Return one row's logits (1, V) after transformers' own processors, in the order in which it applies them."""
    steps = [
        RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty),
        TemperatureLogitsWarper(sampling.temperature),
        *([TopKLogitsWarper(sampling.top_k)] if sampling.top_k else []),
        TopPLogitsWarper(sampling.top_p),
        MinPLogitsWarper(sampling.min_p),
    ]
    for step in steps:
        logits = step(said, logits)
    return logits


SAMPLINGS = st.builds(
    Sampling,
    temperature=st.sampled_from([0.3, 0.8, 1.0, 2.5]),
    top_k=st.sampled_from([0, 1, 3, 20, 1000]),
    top_p=st.sampled_from([0.1, 0.5, 0.9, 0.95, 1.0]),
    min_p=st.sampled_from([0.0, 0.02, 0.3, 1.0]),
    repetition_penalty=st.sampled_from([0.5, 1.0, 1.3, 3.0]),
)


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(SAMPLINGS, min_size=1, max_size=5), seed=st.integers(0, 2**32))
def test_each_row_of_a_batch_is_masked_as_transformers_masks_it_alone(rows: list[Sampling], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn((len(rows), 60), generator=generator)
    prompts = [torch.randint(0, 60, (4 + n,), generator=generator).tolist() for n in range(len(rows))]
    drawn = RowSampler(rows, [seed] * len(rows), prompts)(IDS, logits)
    for sampling, prompt, row, found in zip(rows, prompts, logits, drawn, strict=True):
        expected = as_transformers(sampling, torch.tensor([prompt]), row[None])[0]
        assert torch.equal(found.isfinite(), expected.isfinite())
        noise = RowSampler([Sampling(temperature=1.0, top_p=1.0)], [seed])(IDS, torch.zeros((1, 60)))[0]
        kept = found.isfinite()
        assert torch.allclose(found[kept], (expected + noise)[kept], atol=1e-4)


def test_the_penalty_counts_the_prompt_and_every_token_said_but_no_padding() -> None:
    sampling = Sampling(temperature=0.0, repetition_penalty=2.0)
    logits = torch.tensor([[4.0, 3.0, -1.0, 2.5]])
    sampler = RowSampler([sampling, sampling], [1, 1], [[0], [0, 2]])
    ids = torch.tensor([[3, 0], [0, 2]])  # 3 pads the first row
    assert sampler(ids, logits.repeat(2, 1)).tolist() == [[2.0, 3.0, -1.0, 2.5], [2.0, 3.0, -2.0, 2.5]]
    said = torch.cat([ids, torch.tensor([[1], [3]])], dim=1)
    assert sampler(said, logits.repeat(2, 1)).tolist() == [[2.0, 1.5, -1.0, 2.5], [2.0, 3.0, -2.0, 1.25]]


def test_equally_likely_tokens_are_kept_or_masked_together() -> None:
    logits = torch.tensor([[2.0, 1.0, 1.0, 0.0]])
    assert keep_likeliest(logits, [2], torch.tensor([[1.0]])).isfinite().tolist() == [[True, True, True, False]]
    assert keep_likeliest(logits, [0], torch.tensor([[0.7]])).isfinite().tolist() == [[True, True, True, False]]
