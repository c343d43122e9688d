"""The problems behind the tasks, by the name of their task: each function draws one and knows its answer.

Everything is drawn from the generator that the caller passes.
"""

from training.data.tasks import list_problems, number_problems, passage_problems, word_problems
from training.data.world.examples import Draw

DRAWS: dict[str, Draw] = {
    **word_problems.DRAWS,
    **number_problems.DRAWS,
    **list_problems.DRAWS,
    **passage_problems.DRAWS,
}
