"""Questions and their answers as documents, in many forms: a lesson, a conversation, cards, a list.

A base model is later asked in a form of its own ("Question: ... Answer: ..."), so that it has to learn from the solved
questions above what is wanted. The forms are in text/asking.yaml.
"""

from functools import cache
from random import Random

from training.data.world.examples import Example
from training.data.world.lexicon import Lexicon
from training.data.world.phrasing import Phrasing, compile_phrasings
from training.data.world.scenes import draw_distinct, draw_name
from training.data.yaml_files import TEXT, DataError, read_yaml

FILE = TEXT / "asking.yaml"
SLOTS = (("question", "name", "friend"), ("answer", "name", "friend"))


@cache
def read_asking() -> tuple[tuple[Phrasing, ...], ...]:
    """Read the forms, each a line that asks and a line that answers.

    Raises:
        DataError: a form that is not two lines, or a line without its question or answer or with an unknown slot.
    """
    forms = []
    for row in read_yaml(FILE):
        if not isinstance(row, list) or len(row) != len(SLOTS):
            raise DataError(f"{FILE}: {str(row)[:60]!r} is not a question's line and an answer's: write both")
        form = tuple(
            compile_phrasings([line], slots, what=str(FILE))[0] for line, slots in zip(row, SLOTS, strict=True)
        )
        for phrasing, (needed, *_) in zip(form, SLOTS, strict=True):
            if needed not in phrasing.slots:
                raise DataError(f"{FILE}: {phrasing.text!r} leaves out {{{needed}}}: put it in")
        forms.append(form)
    return tuple(forms)


def write_asking(examples: list[Example], lexicon: Lexicon, rng: Random) -> str:
    """Write examples as one document in one of the forms, between the same two children throughout."""
    asking, answering = rng.choice(read_asking())
    name, friend = draw_distinct(lambda: draw_name(lexicon, rng)[0], 2)
    children = {"name": name, "friend": friend}
    joint = rng.choice(("\n", "\n\n"))
    return joint.join(
        f"{asking.fill(children | {'question': e.prompt})}\n{answering.fill(children | {'answer': e.reply})}"
        for e in examples
    )
