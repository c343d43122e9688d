"""Gains are contrasts of the joint covariance, over the pairs that the lineage says."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ratings.analysis.attribution import CHILDREN, MATCHED, NO_RATING, Attribution, attribute
from ratings.errors import SettingsError
from ratings.fit.bradley_terry import fit
from ratings.intervals.sandwich import NO_SPREAD, covariance, difference_variance
from ratings.scale import POINTS_PER_NAT, quantile
from tests.ratings.helpers.examples import FIVE, counts_of

MODELS = tuple("abcde")
PARENTS = {"b": "a", "d": "c", "e": "b"}
STAGES = {"a": "base", "b": "sft", "c": "base", "d": "sft", "e": "rlhf"}


def measured() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    result = fit(FIVE)
    return result.strengths, covariance(result)


def gains_of(found: Attribution) -> dict[str, tuple[float, float, float]]:
    return {gain.name: (gain.points, gain.lower, gain.upper) for gain in found.gains}


def test_pair_has_the_interval_of_the_difference() -> None:
    strengths, joint = measured()
    gain = gains_of(attribute(MODELS, strengths, joint, parents={"b": "a"}, confidence=0.9))["a -> b"]
    sd = np.sqrt(difference_variance(joint)[0, 1])
    expected = (strengths[1] - strengths[0]) + np.array([0, -1, 1]) * quantile(0.9) * sd
    assert gain == pytest.approx(expected * POINTS_PER_NAT)


def test_step_is_the_mean_over_its_pairs_with_one_interval() -> None:
    strengths, joint = measured()
    found = attribute(MODELS, strengths, joint, parents=PARENTS, stages=STAGES)
    step = next(gain for gain in found.gains if gain.name == "base -> sft")
    assert step.pairs == (("a", "b"), ("c", "d"))
    contrast = np.array([-0.5, 0.5, -0.5, 0.5, 0])
    half = quantile(0.95) * np.sqrt(contrast @ joint @ contrast)
    assert (step.points, step.upper - step.points) == pytest.approx(
        (POINTS_PER_NAT * contrast @ strengths, POINTS_PER_NAT * half)
    )
    singles = [gains_of(found)[name][0] for name in ("a -> b", "c -> d")]
    assert step.points == pytest.approx(np.mean(singles))
    assert [gain.kind for gain in found.gains] == ["step", "step", "pair", "pair", "pair"]


def test_gain_is_written_with_its_sign_and_interval() -> None:
    strengths, joint = np.array([-83.0, 83]) / 2 / POINTS_PER_NAT, np.array([[1.0, -1], [-1, 1]]) * 31.5 / 1e6
    (gain,) = attribute(("x", "y"), strengths, joint, parents={"y": "x"}).gains
    assert str(gain) == "x -> y: +83 [79, 87]"


def test_shifting_all_strengths_changes_no_gain() -> None:
    strengths, joint = measured()
    before = attribute(MODELS, strengths, joint, parents=PARENTS, stages=STAGES)
    shifted = attribute(MODELS, strengths + 3, joint + 7, parents=PARENTS, stages=STAGES)
    for one, other in zip(gains_of(before).values(), gains_of(shifted).values(), strict=True):
        assert one == pytest.approx(other)


def test_tag_is_held_against_models_that_differ_by_it_alone() -> None:
    strengths, joint = measured()
    tags = {"d": {"int8"}, "e": {"int8", "lora"}, "c": {"lora"}}
    parents, stages = {"b": "a", "d": "b", "e": "c"}, {"b": "sft", "d": "sft", "c": "sft", "e": "sft"}
    found = attribute(MODELS, strengths, joint, parents=parents, stages=stages, tags=tags)
    (int8,) = (gain for gain in found.gains if gain.name == "int8")
    assert (int8.kind, int8.basis) == ("tag", MATCHED)
    assert int8.pairs == (("b", "d"), ("c", "e"))
    assert int8.points == pytest.approx(
        POINTS_PER_NAT * (strengths[3] - strengths[1] + strengths[4] - strengths[2]) / 2
    )
    assert found.left_out == {"lora": "no pair of rated models to compare"}


def test_siblings_that_differ_by_a_tag_are_a_pair() -> None:
    strengths, joint = measured()
    stages = {"b": "sft", "c": "sft"}
    found = attribute(MODELS, strengths, joint, parents={"b": "a", "c": "a"}, stages=stages, tags={"c": ["lora"]})
    (lora,) = (gain for gain in found.gains if gain.kind == "tag")
    assert (lora.pairs, lora.basis) == ((("b", "c"),), MATCHED)


def test_tag_without_a_match_falls_back_to_children_and_says_so() -> None:
    strengths, joint = measured()
    found = attribute(MODELS, strengths, joint, parents=PARENTS, stages=STAGES, tags={"b": {"lora"}, "e": {"lora"}})
    (lora,) = (gain for gain in found.gains if gain.kind == "tag")
    # b gained the tag over a; e has it as its parent does, so that step says nothing of it.
    assert (lora.pairs, lora.basis) == ((("a", "b"),), CHILDREN)


def test_pair_with_an_unrated_model_is_left_out_by_name() -> None:
    strengths, joint = measured()
    found = attribute(
        MODELS, strengths, joint, parents={"b": "a", "y": "x", "z": "a"}, stages={"y": "sft", "x": "base"}
    )
    assert found.left_out == {"x -> y": f"x and y: {NO_RATING}", "a -> z": f"z: {NO_RATING}"}
    assert [gain.name for gain in found.gains] == ["a -> b"]


def test_gain_without_a_spread_has_no_interval() -> None:
    result = fit(counts_of([[0, 5, 0], [3, 0, 0], [0, 0, 0]], ties=[[0, 0, 0], [0, 0, 1], [0, 0, 0]]))
    found = attribute("abc", result.strengths, covariance(result), parents={"c": "b", "b": "a"})
    assert found.left_out == {"b -> c": NO_SPREAD}
    assert [gain.name for gain in found.gains] == ["a -> b"]


def test_model_cannot_be_its_own_parent() -> None:
    with pytest.raises(SettingsError, match="'a' is its own parent"):
        attribute(MODELS, *measured(), parents={"a": "a"})
