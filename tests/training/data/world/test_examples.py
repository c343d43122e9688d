"""An example is composed where its reply has something to keep."""

from training.data.corpus import Corpus
from training.data.tasks.tasks import read_tasks


def test_stories_and_letters_alone_are_composed(whole: Corpus) -> None:
    for example in whole.heldout(2):
        assert example.is_composed == read_tasks()[example.task].is_composed, example
