"""Stories: they keep whom and what they are about, stand under a title, and come from as many plots as asked for."""

import itertools
import random
import re
from itertools import islice
from pathlib import Path

import pytest

from training.data.corpus import Corpus
from training.data.rubric import normalise, without_title
from training.data.tasks.draw import ANY_ENDING, draw_example
from training.data.world import skeletons
from training.data.world.scenes import draw_scene
from training.data.world.skeletons import explained_slots, read_endings, read_forms, select_stories, words_for
from training.data.yaml_files import DataError
from training.recipe import load_recipe


def test_stories_keep_hero_colour_and_thing_whatever_phrasing_is_drawn(whole: Corpus) -> None:
    rng = random.Random(3)
    for name in ("story_order", "story_animal"):
        for i in range(600):
            e = draw_example(whole.tasks[name], whole.lexicon, rng, is_heldout=bool(i % 2))
            said = f" {normalise(without_title(e.reply))} "
            assert all(f" {normalise(kept)} " in said for kept in e.kept), e
            assert "{" not in e.reply


def test_a_story_to_order_stands_under_a_title_that_names_what_was_asked_for(whole: Corpus) -> None:
    rng = random.Random(3)
    for name in ("story_order", "story_animal"):
        for _ in range(200):
            e = draw_example(whole.tasks[name], whole.lexicon, rng)
            title, _, story = e.reply.partition("\n\n")
            assert story
            assert all(kept in title for kept in e.kept), title


def test_a_continued_story_names_its_hero_and_its_thing_again(whole: Corpus) -> None:
    rng = random.Random(3)
    hits = [
        all(kept in e.reply for kept in e.kept)
        for e in (draw_example(whole.tasks["story_continue"], whole.lexicon, rng) for _ in range(300))
    ]
    assert sum(hits) / len(hits) > 0.95


def test_an_ending_for_any_story_names_hero_and_thing_however_it_is_told(whole: Corpus) -> None:
    endings = read_endings()
    assert len(endings) >= 12
    rng = random.Random(2)
    scene = draw_scene(whole.lexicon, rng)
    thing = f"{scene['colour']} {scene['thing']}"
    told = [ending.fill(scene, rng) for ending in endings for _ in range(60)]
    assert all(scene["hero"] in text and thing in text for text in told)


def test_stories_to_continue_end_both_in_their_own_way_and_in_one_that_fits_any(whole: Corpus) -> None:
    rng = random.Random(5)
    closings = {phrasing.text for ending in read_endings() for phrasing in ending.steps[-1]}
    patterns = [re.compile(re.sub(r"\\{\w+\\}", ".+", re.escape(text)) + "$") for text in closings]
    drawn = [draw_example(whole.tasks["story_continue"], whole.lexicon, rng) for _ in range(300)]
    share = sum(any(pattern.search(e.reply) for pattern in patterns) for e in drawn) / len(drawn)
    assert share == pytest.approx(ANY_ENDING, abs=0.1)


def test_fewer_plots_are_spread_over_all_and_leave_what_is_held_out_alone() -> None:
    every = list(dict.fromkeys(s.name for s in select_stories(False)))
    few = list(dict.fromkeys(s.name for s in select_stories(False, 20)))
    assert len(few) == 20
    gaps = {every.index(after) - every.index(name) for name, after in itertools.pairwise(few)}
    assert gaps <= {len(every) // 20, len(every) // 20 + 1}
    assert select_stories(False, 1000) == select_stories(False)
    assert select_stories(True, 20) == select_stories(True)


def test_a_corpus_of_few_plots_tells_no_others() -> None:
    data = load_recipe("demo").data
    few = Corpus(data.model_copy(update={"plots": 2, "mixture": {"stories": 1.0}}), 0)
    told = select_stories(False, 2)
    openings = tuple(p for s in told for p in s.steps[0])
    starts = [re.compile(re.sub(r"\\{\w+\\}", ".+", re.escape(p.text)).replace("a\\ .+", "an?\\ .+")) for p in openings]
    stories = [*islice(few.documents(), 100)]
    stories += [e.reply for e in islice(few.draw_examples(random.Random(0)), 400) if e.task == "story_order"]
    for text in stories:
        assert any(start.match(without_title(text)) for start in starts), text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- plot: empty\n  skeletons: []\n", "no skeletons"),
        ('- plot: bad\n  skeletons:\n  - - ["{hero} had {no_such}."]\n', "no_such"),
        ("- plot: bad\n  skeletons:\n  - - []\n", "no phrasing"),
    ],
)
def test_a_wrong_plot_is_named(folder: Path, text: str, problem: str) -> None:
    path = folder / "stories" / "zz.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=problem) as error:
        skeletons.read_stories()
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "empty"),
        ("- just words", "ending 1: steps are a list of lists"),
        ('- - ["{hero} has a {colour} {thing}."]\n- - ["{hero} smiled."]', r"ending 2: .* \{colour\} and \{thing\}"),
        ('- - ["The {colour} {thing} of {hero}.", "The {colour} {thing}."]', r"ending 1: .* without \{hero\}"),
        ('- - ["{hero} has a {colour} {tail}."]', "nothing fills the slot {tail}"),
    ],
)
def test_a_wrong_ending_is_named(folder: Path, text: str, problem: str) -> None:
    (folder / "endings.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=problem) as error:
        skeletons.read_endings()
    assert str(folder / "endings.yaml") in str(error.value)


def test_every_explanation_fits_some_word_and_says_only_what_is_known(whole: Corpus) -> None:
    rng = random.Random(4)
    for skeleton in read_forms():
        if skeleton.name == "explanation":
            words = words_for(skeleton, whole.lexicon)
            assert words, [p.text for p in skeleton.steps[0]]
            assert "{" not in skeleton.fill(explained_slots(rng.choice(words)), rng)
