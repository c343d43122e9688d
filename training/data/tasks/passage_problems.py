"""Problems about passages: who has what, of which colour, and where everyone is."""

from collections.abc import Callable
from random import Random

from training.data.documents.passages import quote_from, write_passage
from training.data.world.examples import Draw, Problem
from training.data.world.lexicon import Lexicon, article
from training.data.world.pools import NUMBER_WORDS, number_off
from training.data.world.scenes import Child, draw_children


def passage_problem(about: str, answer: Callable[[Child], str] | None, *, by_thing: bool = False) -> Draw:
    """Return a function that draws a passage about two to four children and what is asked about one of them.

    about: what the passage says of each child ("has", "at", "owned"). answer: read off the child; where None, how many
    children there are. by_thing: the sentence that has the answer begins with the child's thing and not with its name.
    """

    def draw(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
        children = draw_children(lexicon, rng, rng.randint(2, 4), is_heldout=is_heldout)
        asked = rng.choice(children)
        passage = write_passage(children, rng, about=about)
        met = sorted((child.name for child in children), key=passage.index)
        return {
            "passage": passage,
            "name": asked.name,
            "thing": asked.thing,
            "colour": asked.colour,
            "at": asked.at,
            "answer": answer(asked) if answer else NUMBER_WORDS[len(children)],
            "counted": number_off(met),
            "quote": quote_from(f"The {asked.colour} {asked.thing}" if by_thing else asked.name, passage),
        }

    return draw


DRAWS: dict[str, Draw] = {
    "who_has": passage_problem("owned", lambda child: child.name, by_thing=True),
    "what_colour": passage_problem("has", lambda child: child.colour),
    "where_is": passage_problem("at", lambda child: child.at),
    "what_has": passage_problem("has", lambda child: article(f"{child.colour} {child.thing}")),
    "how_many_things": passage_problem("has", None),
}
