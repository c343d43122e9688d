"""What a model is asked and what a good reply is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from training.data.world.lexicon import Lexicon

# The slots of a prompt: ``answer`` is what is written, ``answers`` (a tuple, where there are several) what is right.
Problem = dict[str, Any]
Draw = Callable[[Lexicon, Random, bool], Problem]  # the flag: whether held-out names and words may be drawn


@dataclass(frozen=True)
class Example:
    """A prompt and a good reply.

    task: the name of the task that it is from. form: "short", "full", "warm", or "" where a task has no forms.
    answers: every bare answer that is right (none where nothing can be checked). slots: what the phrasings were
    filled with. kept: what a story or letter has to keep, as word sequences ("Anna", "red kite").
    """

    task: str
    prompt: str
    reply: str
    form: str = ""
    answers: tuple[str, ...] = ()
    slots: Problem = field(default_factory=dict, hash=False, compare=False)
    kept: tuple[str, ...] = ()

    @property
    def is_composed(self) -> bool:
        """Whether the reply is a story or a letter."""
        return bool(self.kept)
