"""What each step of training, and each tag, is worth: one estimate with one interval.

A gain is a linear contrast c . s of the strengths, its variance c^T C c from their joint covariance C
(Scheffe 1953, doi:10.1093/biomet/40.1-2.87, for contrasts at large). It is not two intervals compared:
parent and child were measured against the same opponents, often against each other, and what their
errors share cancels. Every contrast sums to zero, so where the scale is centred or anchored does not
matter.

- A pair is a child and its parent: c = e_child - e_parent.
- A step "sft -> rlhf" is the mean over all pairs whose parent and child have these stages.
- A tag ("lora", "int8", "few-shot") is the mean over pairs of models that differ by this tag alone: all
  other tags and the stage are the same, and they are parent and child or have the same parent. Only
  where no such pair exists is a child with the tag held against its parent without it; the gain
  then holds whatever else the step changed, and `basis` records it.

The interval is about votes: how surely the voters prefer these very checkpoints. It does not tell how
another run of the same training would come out.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ratings.errors import SettingsError
from ratings.intervals.sandwich import NO_SPREAD
from ratings.scale import POINTS_PER_NAT, quantile

Kind = Literal["step", "pair", "tag"]

NO_RATING = "no rating"
MATCHED = "models that differ by this tag alone"
CHILDREN = "children with the tag against parents without it, whatever else the step changed"
LINEAGE = "children against their parents"

ModelPairs = list[tuple[str, str]]

# A variance below this share of what the models' own would give is rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Gain:
    """By how much one kind of change raised the rating, in Elo points."""

    kind: Kind
    name: str
    """"sft -> rlhf" for a step, "mia-sft -> mia-rlhf" for a pair, "int8" for a tag."""
    points: float
    lower: float
    upper: float
    pairs: tuple[tuple[str, str], ...]
    """The (before, after) models it is the mean over."""
    basis: str
    """What was held against what."""

    def __str__(self) -> str:
        """Return "sft -> rlhf: +83 [61, 105]"."""
        return f"{self.name}: {self.points:+.0f} [{self.lower:.0f}, {self.upper:.0f}]"


@dataclass(frozen=True)
class Attribution:
    """Steps in the order of the lineage, then their pairs, then tags by name."""

    confidence: float
    """Level of each interval on its own."""
    gains: tuple[Gain, ...]
    left_out: dict[str, str]
    """Pairs and gains without a number, "mia-base -> mia-sft", and why."""


def attribute(
    models: Sequence[str],
    strengths: NDArray[np.float64],
    covariance: NDArray[np.float64],
    *,
    parents: Mapping[str, str],
    stages: Mapping[str, str] | None = None,
    tags: Mapping[str, Collection[str]] | None = None,
    confidence: float = 0.95,
    elsewhere: Mapping[str, int] | None = None,
) -> Attribution:
    """Return the gain of every step, pair and tag that the lineage knows.

    `models` names the R rated ones, whose (R,) strengths and (R, R) covariance are in nats. `parents`
    is {model: its parent}; `stages` and `tags` may leave models out, which then belong to no step and
    have no tag. `elsewhere` has the group of each model that is rated apart from these.
    Raises SettingsError for a model that is its own parent.
    """
    for child, parent in parents.items():
        if child == parent:
            raise SettingsError(f"{child!r} is its own parent; mend the lineage")
    stages, tags = stages or {}, tags or {}
    index = {name: number for number, name in enumerate(models)}
    left_out: dict[str, str] = {}
    lineage = _rated([(parent, child) for child, parent in parents.items()], index, left_out, elsewhere or {})
    wanted: list[tuple[Kind, str, ModelPairs, str]] = []
    for step, pairs in _steps(lineage, stages).items():
        wanted.append(("step", step, pairs, LINEAGE))
    for pair in lineage:
        wanted.append(("pair", _name(pair), [pair], LINEAGE))
    for tag in sorted({tag for of_one in tags.values() for tag in of_one}):
        pairs, basis = _tag_pairs(tag, index, parents, stages, tags)
        if not pairs:
            left_out[tag] = "no pair of rated models to compare"
        wanted.append(("tag", tag, pairs, basis))
    measure = _measure(index, strengths, covariance, quantile(confidence))
    gains = []
    for kind, name, pairs, basis in wanted:
        bounds = measure(pairs) if pairs else None
        if bounds is not None:
            gains.append(Gain(kind, name, *bounds, tuple(pairs), basis))
        elif pairs:
            left_out[name] = NO_SPREAD
    return Attribution(confidence, tuple(gains), left_out)


def _measure(
    index: Mapping[str, int], strengths: NDArray[np.float64], covariance: NDArray[np.float64], reach: float
) -> Callable[[ModelPairs], tuple[float, float, float] | None]:
    def measure(pairs: ModelPairs) -> tuple[float, float, float] | None:
        """Return the mean gain of the pairs with its bounds, in points; None where it has no spread."""
        contrast = np.zeros(len(strengths))
        for before, after in pairs:
            contrast[index[after]] += 1 / len(pairs)
            contrast[index[before]] -= 1 / len(pairs)
        variance = contrast @ covariance @ contrast
        if variance <= _ROUNDING * (contrast**2 @ np.diag(covariance)):
            return None
        gain, half = contrast @ strengths, reach * np.sqrt(variance)
        lower, middle, upper = (float(POINTS_PER_NAT * n) for n in (gain - half, gain, gain + half))
        return middle, lower, upper

    return measure


def _rated(
    pairs: ModelPairs, index: Mapping[str, int], left_out: dict[str, str], elsewhere: Mapping[str, int]
) -> ModelPairs:
    """Return the pairs whose models both have a rating, and note the others."""
    kept = []
    for pair in pairs:
        missing = [model for model in pair if model not in index]
        if missing:
            left_out[_name(pair)] = _why_missing(missing, elsewhere)
        else:
            kept.append(pair)
    return kept


def _why_missing(missing: list[str], elsewhere: Mapping[str, int]) -> str:
    if all(model in elsewhere for model in missing):
        places = sorted({elsewhere[model] for model in missing})
        return f"{' and '.join(missing)}: rated in group {' and '.join(map(str, places))}, gains are those of group 1"
    return f"{' and '.join(model for model in missing if model not in elsewhere)}: {NO_RATING}"


def _steps(lineage: ModelPairs, stages: Mapping[str, str]) -> dict[str, ModelPairs]:
    steps: dict[str, ModelPairs] = {}
    for parent, child in lineage:
        if parent in stages and child in stages and stages[parent] != stages[child]:
            steps.setdefault(f"{stages[parent]} -> {stages[child]}", []).append((parent, child))
    return steps


def _tag_pairs(
    tag: str,
    index: Mapping[str, int],
    parents: Mapping[str, str],
    stages: Mapping[str, str],
    tags: Mapping[str, Collection[str]],
) -> tuple[ModelPairs, str]:
    """Return the rated pairs without and with the tag, and on what basis they are compared."""
    having = [model for model in index if tag in tags.get(model, ())]
    matched = [
        (other, model)
        for model in having
        for other in index
        if set(tags.get(other, ())) == set(tags[model]) - {tag}
        and stages.get(other) == stages.get(model)
        and _is_close(model, other, parents)
    ]
    if matched:
        return matched, MATCHED
    children = [
        (parents[model], model)
        for model in having
        if parents.get(model) in index and tag not in tags.get(parents[model], ())
    ]
    return children, CHILDREN


def _is_close(model: str, other: str, parents: Mapping[str, str]) -> bool:
    """Return whether two models are parent and child, either way round, or children of one parent."""
    one, two = parents.get(model), parents.get(other)
    return one == other or two == model or (one is not None and one == two)


def _name(pair: tuple[str, str]) -> str:
    return f"{pair[0]} -> {pair[1]}"
