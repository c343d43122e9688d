"""A stage of training, and a job: one run of it. The stages themselves are in the table of training/stages."""

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from training.recipe import Recipe, modernise


@dataclass(frozen=True)
class Stage:
    """One stage, from a parent's folder to a folder of its own.

    name: what stage.json calls it, and its folder in a family. command: what ``python -m training`` calls it.
    summary: what it does, for the help.
    function: what runs it, "module.function" below training.stages; imported only to run it, since torch takes seconds.
    sections: the recipe's sections that it is the first to read. time_share: its share of a whole run's time.
    parent: the stage it starts from. needs: other stages whose results it reads.
    """

    name: str
    command: str
    summary: str
    function: str
    makes: Literal["tokenizer", "language model", "preference pairs", "reward model"]
    sections: tuple[str, ...]
    time_share: float
    parent: "Stage | None" = None
    needs: tuple["Stage", ...] = ()

    @property
    def has_weights(self) -> bool:
        """Whether it trains a model; where several processes are launched, they do so together."""
        return self.makes in ("language model", "reward model")

    @property
    def ancestors(self) -> tuple["Stage", ...]:
        """Every stage whose result this one builds on, directly or not."""
        direct = (*((self.parent,) if self.parent else ()), *self.needs)
        return tuple(dict.fromkeys(stage for one in direct for stage in (*one.ancestors, one)))

    def decisive(self, recipe: dict[str, Any]) -> dict[str, Any]:
        """Return the sections of a dumped recipe that decide this stage's result: its own and its ancestors'."""
        recipe = modernise(recipe)
        return {section: recipe.get(section) for stage in (*self.ancestors, self) for section in stage.sections}

    def load(self) -> "Callable[[Job], dict[str, float]]":
        """Import and return the function that runs a job of this stage and returns its held-out figures."""
        module, name = self.function.split(".")
        function: Callable[[Job], dict[str, float]]
        function = getattr(importlib.import_module(f"training.stages.{module}"), name)
        return function


@dataclass(frozen=True)
class Outside:
    """A model that was not made here. name: as it was given. revision: the Hub's commit, None for a folder."""

    name: str
    folder: Path
    weights: str
    revision: str | None = None


@dataclass(frozen=True)
class Job:
    """One run of a stage: where it writes, by which recipe, from what, since when (wall and CPU seconds).

    pairs: a folder or file of preference pairs. reward: a reward model's folder. resume: continue what a stopped run
    left. outside: the parent, where it was not made here. is_second_round: the parent may be an RLHF checkpoint.
    """

    stage: Stage
    out: Path
    recipe: Recipe
    overrides: tuple[str, ...] = ()
    parent: Path | None = None
    pairs: Path | None = None
    reward: Path | None = None
    resume: bool = False
    outside: Outside | None = None
    is_second_round: bool = False
    started: float = field(default_factory=time.time)
    started_cpu: float = field(default_factory=time.process_time)

    @property
    def work(self) -> Path:
        """The folder of unfinished work, beside the destination."""
        return self.out.with_name(self.out.name + ".unfinished")

    @property
    def adopted(self) -> Path:
        """The folder of a parent from outside, made ready, beside the destination."""
        return self.out.with_name(self.out.name + ".adopted")
