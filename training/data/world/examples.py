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

    family: the family of prompts it is from. form: "short", "full", "warm", or "" where a family has no forms.
    answers: every bare answer that is right ("" tuple where nothing can be checked). slots: what the phrasings were
    filled with. kept: what a story has to keep, as word sequences ("Anna", "red kite").
    """

    family: str
    prompt: str
    reply: str
    form: str = ""
    answers: tuple[str, ...] = ()
    slots: Problem = field(default_factory=dict, hash=False, compare=False)
    kept: tuple[str, ...] = ()
