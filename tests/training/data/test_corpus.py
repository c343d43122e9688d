"""The corpus: repeatable, in its shares, and true to itself."""

import hashlib
import random
import shutil
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from tests.paths import CHECKPOINTS
from training.data import corpus as corpus_module
from training.data.corpus import MAKERS, VERSION, Corpus
from training.data.tasks.tasks import read_tasks
from training.data.world.lexicon import read_lexicon
from training.data.world.skeletons import read_forms, read_stories
from training.data.yaml_files import DataError
from training.recipe import Recipe, load_recipe, parse_recipe
from training.runs.checkpoint import read_record


def test_one_seed_gives_the_same_text_letter_by_letter(recipe: Recipe) -> None:
    one, same = (Corpus(recipe.data, 3) for _ in range(2))
    assert list(islice(one.documents(), 200)) == list(islice(same.documents(), 200))
    assert one.examples() == same.examples()
    assert one.heldout() == same.heldout()
    assert one.fingerprint == same.fingerprint


def test_what_is_drawn_is_what_this_version_of_the_corpus_draws() -> None:
    corpus = Corpus(load_recipe("demo").data, 0)
    drawn = [*islice(corpus.documents(), 300), *(f"{e.prompt}\n{e.reply}" for e in corpus.heldout())]
    digest = hashlib.sha256("\n\n".join(drawn).encode()).hexdigest()
    # Where this fails, text has changed: raise VERSION, and put the new pair here.
    assert (VERSION, digest[:16]) == (1, "37f4fe9e3c2b102c")


def test_the_fingerprint_knows_what_files_say_and_not_what_they_are_called(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(corpus_module.FOLDER, folder)
    monkeypatch.setattr(corpus_module, "FOLDER", folder)
    before = Corpus(recipe.data, 3).fingerprint
    titles = folder / "titles.yaml"
    titles.write_text("# A comment.\n" + titles.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "more").mkdir()
    titles.rename(folder / "more" / "headings.yaml")
    (folder / "corpus.py").write_text("")
    assert Corpus(recipe.data, 3).fingerprint == before
    (folder / "heldout.yaml").write_text("words: [zebra]\n", encoding="utf-8")
    assert Corpus(recipe.data, 3).fingerprint != before


def test_the_families_that_ship_are_known_to_be_of_this_corpus() -> None:
    for name in ("demo/base", "demo/sft", "demo/rlhf", "mini/base", "mini/sft"):
        record = read_record(CHECKPOINTS / name)
        assert record is not None
        recipe = parse_recipe(record["recipe"], name)
        assert record["data"] == Corpus(recipe.data, recipe.seed).fingerprint, name


def test_another_seed_gives_another_text_and_the_same_held_out_prompts(recipe: Recipe) -> None:
    one, other = Corpus(recipe.data, 3), Corpus(recipe.data, 4)
    assert list(islice(one.documents(), 50)) != list(islice(other.documents(), 50))
    assert one.fingerprint != other.fingerprint
    assert one.heldout() == other.heldout()


def test_drawing_leaves_the_global_generator_alone(recipe: Recipe) -> None:
    random.seed(5)
    before = random.getstate()
    list(islice(Corpus(recipe.data, 3).documents(), 50))
    assert random.getstate() == before


def test_there_are_enough_tasks_phrasings_plots_words_and_skeletons() -> None:
    tasks = read_tasks()
    assert len(tasks) >= 25
    for task in tasks.values():
        assert len(task.questions) >= 8
        assert len(task.heldout) == 2
        if not task.is_composed:
            assert all(sum(map(len, forms.values())) >= 3 for forms in task.answers.values())
    stories, forms = read_stories(), read_forms()
    assert len({story.name for story in stories}) >= 40
    assert len(stories) + len(forms) >= 300
    assert all(len(step) >= 2 for skeleton in stories for step in skeleton.steps)
    assert len(read_lexicon().words) + len(read_lexicon().names["girls"]) >= 1500


def test_every_kind_of_document_is_drawn_in_about_its_share(whole: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(whole.data.mixture) <= set(MAKERS)
    for kind in MAKERS:
        monkeypatch.setitem(MAKERS, kind, lambda corpus, rng, is_heldout, kind=kind: kind)
    shares = whole.data.mixture
    drawn = Counter(islice(whole.documents(), 4000))
    assert set(drawn) == set(shares)
    for kind, share in shares.items():
        assert drawn[kind] / 4000 == pytest.approx(share / sum(shares.values()), abs=0.03)


def test_only_the_tasks_of_the_recipe_are_asked() -> None:
    data = load_recipe("nano").data
    corpus = Corpus(data, 0)
    asked = {e.task for e in islice(corpus.draw_examples(random.Random(0)), 2000)}
    assert asked - {"written", "small talk"} == set(data.tasks)
    assert {e.task for e in corpus.heldout()} == set(data.tasks)


def test_an_unknown_task_in_a_recipe_is_named() -> None:
    data = load_recipe("nano").data.model_copy(update={"tasks": ("oposite",)})
    with pytest.raises(DataError, match=r"unknown task 'oposite': use some of .*opposite"):
        _ = Corpus(data, 0).tasks
