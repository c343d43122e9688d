"""The generated world and the corpus: repeatable, true, and free of what is held out."""

import random
import re
from pathlib import Path

import pytest
import yaml

from training.data import corpus as corpus_module
from training.data.corpus import Corpus, build_corpus
from training.data.small_talk import read_small_talk
from training.data.world import Example, draw_story, fact_examples, is_heldout, read_world, story_document
from training.recipe import Data

SMALL = Data(stories=300, question_documents=300, small_talk=True, heldout_share=0.1)
WRONG_ARTICLE = re.compile(r"\b[Aa] [aeiouAEIOU]|\b[Aa]n [^aeiouAEIOU]")
# Topics that date badly or would teach opinions.
LEFT_OUT = ("politics", "gossip", "ai", "botprofile", "computers", "coding", "tech_support", "money", "psychology")


def training_text(corpus: Corpus) -> str:
    return "\n".join([*corpus.documents, *(f"{e.prompt}\n{e.reply}" for e in corpus.examples)])


def draw_stories(count: int) -> list[Example]:
    rng, world = random.Random(1), read_world()
    return [draw_story(world, rng) for _ in range(count)]


def test_one_seed_gives_the_same_corpus_letter_by_letter() -> None:
    assert build_corpus(SMALL, seed=3) == build_corpus(SMALL, seed=3)


def test_another_seed_gives_another_corpus() -> None:
    one, other = build_corpus(SMALL, seed=3), build_corpus(SMALL, seed=4)
    assert one.documents != other.documents
    assert one.fingerprint != other.fingerprint


def test_building_a_corpus_leaves_the_global_generator_alone() -> None:
    random.seed(5)
    before = random.getstate()
    build_corpus(SMALL, seed=3)
    assert random.getstate() == before


@pytest.mark.parametrize("share", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("seed", [0, 7])
def test_no_heldout_prompt_stands_anywhere_in_the_training_text(share: float, seed: int) -> None:
    corpus = build_corpus(SMALL.model_copy(update={"heldout_share": share}), seed)
    text = training_text(corpus)
    assert corpus.heldout
    assert [e.prompt for e in corpus.heldout if e.prompt in text] == []


def test_the_search_for_heldout_prompts_finds_a_prompt_that_was_trained_on(corpus: Corpus) -> None:
    text = training_text(corpus)
    assert all(e.prompt in text for e in corpus.examples)


def test_no_heldout_document_stands_in_the_training_text() -> None:
    corpus = build_corpus(Data(stories=6000, question_documents=500, heldout_share=0.1), seed=0)
    text = training_text(corpus)
    assert [document for document in corpus.heldout_documents if document in text] == []


def test_facts_and_stories_are_both_held_out_and_each_prompt_once(corpus: Corpus) -> None:
    kinds = {e.kind for e in corpus.heldout}
    assert "story" in kinds
    assert len(kinds) > 3
    assert len({e.prompt for e in corpus.heldout}) == len(corpus.heldout) == len(corpus.heldout_documents)
    assert all(e.expected for e in corpus.heldout)


def test_a_larger_share_holds_out_more_and_never_lets_a_prompt_back_in() -> None:
    prompts = [f"Question {i}?" for i in range(2000)]
    few = {p for p in prompts if is_heldout(p, 0.1)}
    many = {p for p in prompts if is_heldout(p, 0.3)}
    assert few < many
    assert len(few) == pytest.approx(200, abs=50)
    assert len(many) == pytest.approx(600, abs=80)


def test_examples_hold_facts_stories_and_small_talk(corpus: Corpus) -> None:
    assert {"opposite", "sound", "legs", "kind", "next", "story", "polite", "small talk"} == {
        e.kind for e in corpus.examples
    }


def test_without_small_talk_none_is_used() -> None:
    corpus = build_corpus(SMALL.model_copy(update={"small_talk": False}), seed=0)
    assert {e.kind for e in corpus.examples}.isdisjoint({"small talk"})
    text = training_text(corpus)
    assert [e for e in read_small_talk() if f"Question: {e.prompt}\nAnswer: {e.reply}" in text] == []


def test_the_vocabulary_holds_every_word_of_the_facts_and_no_other_case(corpus: Corpus) -> None:
    assert {"opposite", "vegetable", "meow", "anna"} <= corpus.vocabulary
    assert all(word == word.lower() for word in corpus.vocabulary)


def test_one_changed_reply_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = [Example("small talk", "Is it late?", "It is."), Example("small talk", "Is it warm?", "It is.")]
    assert not any(is_heldout(e.prompt, SMALL.heldout_share) for e in talk)
    monkeypatch.setattr(corpus_module, "read_small_talk", lambda: talk)
    before = build_corpus(SMALL, seed=0).fingerprint
    assert before == build_corpus(SMALL, seed=0).fingerprint
    talk[1] = Example("small talk", "Is it warm?", "It was.")
    assert build_corpus(SMALL, seed=0).fingerprint != before


def test_the_fingerprint_covers_order_borders_and_replies() -> None:
    one = corpus_module._fingerprint(["ab", "c"], [], [])
    assert one != corpus_module._fingerprint(["a", "bc"], [], [])
    assert one != corpus_module._fingerprint(["c", "ab"], [], [])
    examples = [[Example("kind", "What?", reply)] for reply in ("This.", "That.")]
    assert corpus_module._fingerprint([], examples[0], []) != corpus_module._fingerprint([], examples[1], [])
    assert corpus_module._fingerprint([], [], examples[0]) != corpus_module._fingerprint([], [], examples[1])


def test_a_story_keeps_its_hero_and_its_animal_in_title_prompt_and_text() -> None:
    rng = random.Random(2)
    world = read_world()
    for story in draw_stories(2000):
        hero, animal = story.expected
        assert hero in world["names"]
        assert animal in world["stories"]["animals"]
        others = {*world["names"], *world["stories"]["animals"]} - {hero, animal}
        for text in (story.prompt, story.reply, story_document(world, story, rng)):
            words = set(re.findall(r"\w+", text))
            assert {hero, animal} <= words, text
            assert not others & words, text


def test_every_plot_name_and_animal_is_drawn_sooner_or_later() -> None:
    world = read_world()
    stories = draw_stories(3000)
    text = "\n".join(e.reply for e in stories)
    for part in ("places", "things", "names"):
        assert [word for word in world[part] if word not in text] == []
    plots = [re.split(r"\{\w+\}", plot)[-1] for plot in world["stories"]["plots"]]
    assert [plot for plot in plots if plot not in text] == []


def test_a_and_an_stand_where_they_should() -> None:
    rng = random.Random(3)
    world = read_world()
    facts = [e for e in fact_examples(world) if e.expected]
    stories = draw_stories(3000)
    texts = [f"{e.prompt} {e.reply}" for e in facts + stories] + [story_document(world, s, rng) for s in stories]
    assert [text for text in texts if WRONG_ARTICLE.search(text)] == []
    assert any("an owl" in text for text in texts)
    assert any("An ant" in text for text in texts)


def test_the_answer_to_a_fact_contains_its_expected_words() -> None:
    facts = [e for e in fact_examples(read_world()) if e.kind != "polite"]
    assert len(facts) > 500
    for e in facts:
        words = set(re.findall(r"\w+", e.reply.lower()))
        assert len(e.expected) == 2
        assert set(e.expected) <= words, e
        assert e.expected[0] in re.findall(r"\w+", e.prompt), e


def test_no_question_has_two_answers() -> None:
    answers: dict[str, set[tuple[str, ...]]] = {}
    for e in fact_examples(read_world()):
        answers.setdefault(e.prompt, set()).add(e.expected)
    assert [prompt for prompt, found in answers.items() if len(found) > 1] == []


def test_opposites_are_asked_both_ways() -> None:
    prompts = {e.prompt: e.reply for e in fact_examples(read_world())}
    assert prompts["What is the opposite of hot?"] == "The opposite of hot is cold."
    assert prompts["What is the opposite of cold?"] == "The opposite of cold is hot."


def test_words_that_yaml_would_read_as_truth_or_number_stay_text() -> None:
    world = read_world()
    words = [w for family in world["facts"].values() for pair in family["pairs"] for w in pair]
    words += [w for part in ("names", "places", "things") for w in world[part]] + world["stories"]["animals"]
    words += [text for pair in world["polite"] for text in pair]
    assert [word for word in words if not isinstance(word, str)] == []
    assert next(e for e in fact_examples(world) if e.prompt == "How many legs has a snake?").expected == ("snake", "no")


def test_no_phrasing_keeps_an_empty_slot(corpus: Corpus) -> None:
    assert "{" not in training_text(corpus).replace("{}", "")


def small_talk_files() -> dict[str, set[str]]:
    import chatterbot_corpus

    folder = Path(chatterbot_corpus.__file__).parent / "data" / "english"
    files = {}
    for path in folder.glob("*.yml"):
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        files[path.stem] = {str(prompt) for prompt, *_ in tree["conversations"]}
    return files


def test_small_talk_comes_from_the_harmless_files_alone() -> None:
    files = small_talk_files()
    assert set(LEFT_OUT) < set(files)
    left_out = set.union(*(files[name] for name in LEFT_OUT))
    harmless = set.union(*(prompts for name, prompts in files.items() if name not in LEFT_OUT))
    prompts = {e.prompt for e in read_small_talk()}
    assert len(prompts) > 200
    assert prompts <= harmless
    assert prompts & (left_out - harmless) == set()


def test_small_talk_is_short_plain_text_and_each_prompt_stands_once() -> None:
    examples = read_small_talk()
    for e in examples:
        assert e.expected == ()
        for text in (e.prompt, e.reply):
            assert text.isascii()
            assert "\n" not in text
            assert 0 < len(text) <= 160
    assert len({e.prompt for e in examples}) == len(examples)
