"""The problems behind the families of prompts: each function draws one from the lexicon and knows its answer.

Here stand all of them by the name of their family, and those about passages. Everything is drawn from the generator
that the caller passes.
"""

from random import Random

from training.data.documents.passages import quote_from, write_passage
from training.data.tasks import list_problems, number_problems, word_problems
from training.data.world.examples import Draw, Problem
from training.data.world.lexicon import Lexicon, article
from training.data.world.pools import NUMBER_WORDS, number_off
from training.data.world.scenes import draw_children


def passage_problem(question: str) -> Draw:
    """Return a drawing of a passage about two to four children and of what is asked about one of them."""

    def draw(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
        children = draw_children(lexicon, rng, rng.randint(2, 4), is_heldout=is_heldout)
        asked = rng.choice(children)
        told = {"where_is": "at", "who_has": "owned"}.get(question, "has")
        passage = write_passage(children, rng, tell=told)
        answer = {
            "who_has": asked.name,
            "what_colour": asked.colour,
            "where_is": asked.at,
            "what_has": article(f"{asked.colour} {asked.thing}"),
            "how_many_things": NUMBER_WORDS[len(children)],
        }[question]
        quote = quote_from(f"The {asked.colour} {asked.thing}" if question == "who_has" else asked.name, passage)
        met = sorted((child.name for child in children), key=passage.index)
        slots: Problem = {"passage": passage, "name": asked.name, "thing": asked.thing, "colour": asked.colour}
        return slots | {"answer": answer, "at": asked.at, "counted": number_off(met), "quote": quote}

    return draw


PASSAGES = ("who_has", "what_colour", "where_is", "what_has", "how_many_things")
DRAWS: dict[str, Draw] = {
    **word_problems.DRAWS,
    **number_problems.DRAWS,
    **list_problems.DRAWS,
    **{name: passage_problem(name) for name in PASSAGES},
}
