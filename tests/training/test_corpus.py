"""The corpus: repeatable, true to itself, and free of what is held out."""

import random
import re
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from training.data import asking
from training.data.asking import read_asking, write_asking
from training.data.corpus import MAKERS, Corpus
from training.data.families import COMPOSED, draw_example, read_families
from training.data.lexicon import read_lexicon
from training.data.problems import DRAWS
from training.data.reading import DataError
from training.data.rubric import Rubric
from training.data.scenes import COINED, draw_children, draw_name, draw_thing
from training.data.seasoning import read_glosses, read_small_talk, read_written_pairs
from training.data.skeletons import explained_slots, read_forms, read_stories, words_for
from training.recipe import Recipe, load_recipe

# Topics that date badly or would teach opinions.
LEFT_OUT = ("politics", "gossip", "ai", "botprofile", "computers", "coding", "tech_support", "money", "psychology")
WORD = re.compile(r"[A-Za-z']+")


@pytest.fixture(scope="module")
def training_text(whole: Corpus) -> str:
    """Some million letters of what is trained on, every kind of document and example among them."""
    examples = islice(whole.draw_examples(random.Random(1)), 8000)
    said = [f"{e.prompt}\n{e.reply}" for e in [*examples, *whole.written_known]]
    return "\n".join([*islice(whole.documents(), 8000), *said])


def asked_in(text: str) -> set[str]:
    """Return the lines of a text and, of those that ask in a form of asking.yaml, what they ask."""
    lines = set(text.splitlines())
    forms = [
        re.compile(re.sub(r"\\{(name|friend)\\}", r"\\w+", re.escape(asking.text)).replace(r"\{question\}", "(.+)"))
        for asking, _ in read_asking()
    ]
    matches = (form.fullmatch(line) for line in lines for form in forms)
    return lines | {match.group(1) for match in matches if match}


def test_one_seed_gives_the_same_text_letter_by_letter(recipe: Recipe) -> None:
    one, same = (Corpus(recipe.data, 3) for _ in range(2))
    assert list(islice(one.documents(), 200)) == list(islice(same.documents(), 200))
    assert one.examples() == same.examples()
    assert one.heldout() == same.heldout()
    assert one.fingerprint == same.fingerprint


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


def test_no_held_out_word_or_name_stands_in_a_training_text(whole: Corpus, training_text: str) -> None:
    said = set(WORD.findall(training_text)) | set(WORD.findall(training_text.lower()))
    assert len(whole.lexicon.heldout) >= 20
    assert said & whole.lexicon.heldout == set()


def test_no_held_out_plot_stands_in_a_training_text(training_text: str) -> None:
    pieces = [
        piece.strip()
        for story in read_stories()
        if story.is_heldout
        for step in story.steps
        for phrasing in step
        for piece in re.split(r"\{\w+\}", phrasing.text)
        if len(piece.split()) >= 5
    ]
    assert len(pieces) >= 10
    assert [piece for piece in pieces if piece in training_text] == []


def test_no_held_out_phrasing_stands_in_a_training_text(training_text: str) -> None:
    frames = {}
    for family in read_families().values():
        for phrasing in family.heldout:
            frames[phrasing.text] = re.compile(
                r"(?m)(?<!\w)"
                + r"[^\n?.!]{1,60}".join(re.escape(p) for p in re.split(r"an? \{\w+\}|\{\w+\}", phrasing.text))
            )
    # Only whole questions count: those of one line that are no passage.
    short = [line for line in asked_in(training_text) if len(line) < 90]
    assert len(short) > 10_000
    plain = {t: f for t, f in frames.items() if "{passage}" not in t and "{beginning}" not in t and "{clues}" not in t}
    plain = {t: f for t, f in plain.items() if "{first}" not in t}
    assert len(plain) > 60
    assert [(t, line) for t, frame in plain.items() for line in short if frame.fullmatch(line)] == []


def test_every_family_has_held_out_prompts_and_each_prompt_stands_once(whole: Corpus) -> None:
    heldout = whole.heldout()
    assert {e.family for e in heldout} == set(read_families())
    assert len({e.prompt for e in heldout}) == len(heldout)


def test_there_are_enough_families_phrasings_plots_words_and_skeletons() -> None:
    families = read_families()
    assert len(families) >= 25
    for family in families.values():
        assert len(family.questions) >= 8
        assert len(family.heldout) == 2
        if family.name not in COMPOSED:
            assert all(sum(map(len, forms.values())) >= 3 for forms in family.answers.values())
    stories, forms = read_stories(), read_forms()
    assert len({story.name for story in stories}) >= 40
    assert len(stories) + len(forms) >= 300
    assert all(len(step) >= 2 for skeleton in stories for step in skeleton.steps)
    assert len(read_lexicon().words) + len(read_lexicon().names["girls"]) >= 1500


@pytest.mark.parametrize("name", sorted(DRAWS))
def test_the_reply_to_a_problem_is_right_by_the_rubric_in_all_its_forms(whole: Corpus, name: str) -> None:
    rng = random.Random(name)
    rubric = Rubric(whole.families, frozenset())
    for form in ("short", "full", "warm"):
        for is_heldout in (False, True):
            for _ in range(30):
                e = draw_example(whole.families[name], whole.lexicon, rng, is_heldout=is_heldout, form=form)
                assert rubric.is_exact(e, e.reply), e
                assert not rubric.is_exact(e, "I like turtles and other things."), e


def solve(e: Any) -> str:
    """Answer a problem from its prompt alone, without the drawing's help."""
    numbers = [int(n) for n in re.findall(r"\d+", e.prompt)]
    listed = e.slots.get("list", "").split(", ")
    return {
        "sum": lambda: str(sum(numbers)),
        "compare_numbers": lambda: str(max(numbers)),
        "sort_numbers": lambda: ", ".join(map(str, sorted(numbers))),
        "count_to": lambda: ", ".join(map(str, range(min(numbers), max(numbers) + 1))),
        "next_number": lambda: str(numbers[0] + 1),
        "before_number": lambda: str(numbers[0] - 1),
        "sort_words": lambda: ", ".join(sorted(listed)),
        "reverse_list": lambda: ", ".join(listed[::-1]),
        "first_of_list": lambda: listed[0],
        "last_of_list": lambda: listed[-1],
    }[e.family]()


@pytest.mark.parametrize(
    "name",
    [
        "sum",
        "compare_numbers",
        "sort_numbers",
        "count_to",
        "next_number",
        "before_number",
        "sort_words",
        "reverse_list",
        "first_of_list",
        "last_of_list",
    ],
)
def test_an_answer_follows_from_the_prompt_alone(whole: Corpus, name: str) -> None:
    rng = random.Random(1)
    for _ in range(100):
        e = draw_example(whole.families[name], whole.lexicon, rng)
        assert solve(e) == e.answers[0], e


def test_every_explanation_fits_some_word_and_says_only_what_is_known(whole: Corpus) -> None:
    rng = random.Random(4)
    for skeleton in read_forms():
        if skeleton.name == "explanation":
            words = words_for(skeleton, whole.lexicon)
            assert words, [p.text for p in skeleton.steps[0]]
            assert "{" not in skeleton.tell(explained_slots(rng.choice(words)), rng)


def test_a_riddle_has_one_answer(whole: Corpus) -> None:
    rng = random.Random(5)
    answers: dict[frozenset[str], str] = {}
    for _ in range(2000):
        e = draw_example(whole.families["riddle"], whole.lexicon, rng)
        clues = frozenset(e.slots["clues"].split(". "))
        assert answers.setdefault(clues, e.answers[0]) == e.answers[0]


def test_every_kind_of_document_is_drawn_in_about_its_share(whole: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(whole.data.mixture) <= set(MAKERS)
    for kind in MAKERS:
        monkeypatch.setitem(MAKERS, kind, lambda corpus, rng, is_heldout, kind=kind: kind)
    shares = whole.data.mixture
    drawn = Counter(islice(whole.documents(), 4000))
    assert set(drawn) == set(shares)
    for kind, share in shares.items():
        assert drawn[kind] / 4000 == pytest.approx(share / sum(shares.values()), abs=0.03)


def test_only_the_families_of_the_recipe_are_asked() -> None:
    data = load_recipe("nano").data
    corpus = Corpus(data, 0)
    asked = {e.family for e in islice(corpus.draw_examples(random.Random(0)), 2000)}
    assert asked - {"written", "small talk"} == set(data.families)
    assert {e.family for e in corpus.heldout()} == set(data.families)


def test_an_unknown_family_in_a_recipe_is_named() -> None:
    data = load_recipe("nano").data.model_copy(update={"families": ("oposite",)})
    with pytest.raises(DataError, match=r"unknown family 'oposite': use some of .*opposite"):
        _ = Corpus(data, 0).families


def test_fewer_words_are_spread_over_all_kinds() -> None:
    few, every = read_lexicon(300), read_lexicon()
    assert 250 <= len(few.words) <= 400
    assert {"animal", "tool", "food", "quality"} <= {word.kind for word in few.words.values()}
    assert few.words.keys() <= every.words.keys()


def test_written_pairs_are_complete_and_each_prompt_stands_once() -> None:
    pairs = read_written_pairs()
    assert len(pairs) >= 400
    assert len({e.prompt for e in pairs}) == len(pairs)
    for e in pairs:
        assert e.reply.rstrip().endswith((".", "!", "?")), e
        assert e.reply.isascii()
        assert len(e.reply.split()) <= 45


def test_some_written_pairs_are_held_out_for_ever(whole: Corpus) -> None:
    kept = {e.prompt for e in whole.written_known}
    assert 0.9 < len(kept) / len(whole.written) < 1.0


def test_small_talk_comes_from_the_harmless_files_alone() -> None:
    import chatterbot_corpus
    import yaml

    folder = Path(chatterbot_corpus.__file__).parent / "data" / "english"
    files = {
        path.stem: {str(p) for p, *_ in yaml.safe_load(path.read_text(encoding="utf-8"))["conversations"]}
        for path in folder.glob("*.yml")
    }
    assert set(LEFT_OUT) < set(files)
    harmless = set.union(*(prompts for name, prompts in files.items() if name not in LEFT_OUT))
    talk = read_small_talk()
    assert len(talk) > 200
    assert {e.prompt for e in talk} <= harmless
    for e in talk:
        assert all(text.isascii() and "\n" not in text and 0 < len(text) <= 160 for text in (e.prompt, e.reply))


def test_held_out_documents_are_of_the_kinds_that_have_something_held_out(
    whole: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in MAKERS:
        monkeypatch.setitem(MAKERS, kind, lambda corpus, rng, is_heldout, kind=kind: f"{kind} {is_heldout}")
    assert set(whole.heldout_documents()) == {"stories True", "passages True", "questions True"}
    assert set(islice(whole.documents(), 2000)) == {f"{kind} False" for kind in whole.data.mixture}


def test_no_question_of_a_held_out_document_is_asked_in_training(whole: Corpus, training_text: str) -> None:
    asked = [e.prompt for e in whole.heldout()]
    assert len(asked) > 1000
    assert set(asked) & asked_in(training_text) == set()


def test_a_mixture_without_anything_held_out_is_refused() -> None:
    data = load_recipe("nano").data.model_copy(update={"mixture": {"talk": 1.0}})
    with pytest.raises(DataError, match="nothing to measure on: give one of stories"):
        Corpus(data, 0).heldout_documents()


def test_fewer_words_keep_every_name_plot_and_form() -> None:
    few, every = read_lexicon(300), read_lexicon()
    assert few.names == every.names
    data = load_recipe("demo").data
    small, large = (Corpus(data.model_copy(update={"words": words}), 0) for words in (300, None))
    assert small._forms == large._forms


def test_a_name_made_up_of_syllables_tells_whether_it_is_a_girls_or_a_boys(whole: Corpus) -> None:
    rng = random.Random(8)
    drawn: dict[str, set[str]] = {"girls": set(), "boys": set()}
    for _ in range(20000):
        name, sex = draw_name(whole.lexicon, rng)
        drawn[sex].add(name)
    both = drawn["girls"] & drawn["boys"]
    assert len(both) < 0.01 * len(drawn["girls"] | drawn["boys"])


def test_sorted_words_and_the_odd_one_out_show_the_way(whole: Corpus) -> None:
    rng = random.Random(3)
    for _ in range(100):
        row = draw_example(whole.families["sort_words"], whole.lexicon, rng)
        assert row.slots["sorted_keys"] == ", ".join(f"{word[0]} {word}" for word in row.answers[0].split(", "))
        assert sorted(row.slots["keys"].split(", ")) == row.slots["sorted_keys"].split(", ")
        assert row.slots["sorted_keys"] in row.reply
        odd = draw_example(whole.families["odd_one_out"], whole.lexicon, rng)
        told = odd.slots["told"].split(", ")
        assert sorted(Counter(said.split(": ")[0] for said in told).values()) == [1, 3]
        assert [said for said in told if said.startswith(f"{odd.slots['least']}: ")] == [
            f"{odd.slots['least']}: {odd.answers[0]}"
        ]
        assert odd.slots["told"] in odd.reply


def test_some_things_are_made_up_and_none_of_them_is_a_held_out_word(whole: Corpus) -> None:
    rng = random.Random(6)
    drawn = [draw_thing(whole.lexicon, rng) for _ in range(20_000)]
    made_up = [thing for thing in drawn if thing not in whole.lexicon.words]
    assert len(made_up) / len(drawn) == pytest.approx(COINED, abs=0.02)
    assert len(set(made_up)) > 500
    assert all(re.fullmatch("[a-z]{4,}", thing) for thing in made_up)
    assert whole.lexicon.heldout.isdisjoint(drawn)
    assert all(draw_thing(whole.lexicon, rng, is_heldout=True) in whole.lexicon.words for _ in range(2000))


def test_a_document_of_questions_asks_all_of_them_in_one_form_and_by_the_same_children(whole: Corpus) -> None:
    rng = random.Random(2)
    examples = [draw_example(whole.families["opposite"], whole.lexicon, rng, form="full") for _ in range(3)]
    documents = {write_asking(examples, whole.lexicon, rng) for _ in range(200)}
    for text in documents:
        said = [line for line in text.split("\n") if line]
        assert len(said) == 6
        for e, asked, answered in zip(examples, said[::2], said[1::2], strict=True):
            assert (e.prompt in asked, e.reply in answered) == (True, True)
            assert asked.replace(e.prompt, "") == said[0].replace(examples[0].prompt, "")
        assert "Question: " not in text
    assert len({re.sub(r"[A-Z]\w+", "", text.split("\n")[1]) for text in documents}) > 8


def test_a_form_of_asking_without_its_question_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "asking.yaml"
    monkeypatch.setattr(asking, "FILE", path)
    path.write_text('- ["Teacher: {question}", "{name}: {answer}"]\n- ["What?", "{answer}"]\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"asking.yaml: 'What\?' leaves out {question}: put it in"):
        asking.read_asking.__wrapped__()
    path.write_text("- [only one]\n", encoding="utf-8")
    with pytest.raises(DataError, match="is not a question's line and an answer's: write both"):
        asking.read_asking.__wrapped__()


def test_glosses_are_short_and_free_of_what_is_held_out() -> None:
    lexicon = read_lexicon()
    glosses = read_glosses(lexicon)
    assert len({word for word, _ in glosses}) >= 300
    for word, gloss in glosses:
        assert word in lexicon.words
        assert word not in lexicon.heldout
        assert len(gloss.split()) <= 14
        assert gloss.isascii()
        assert lexicon.heldout.isdisjoint(WORD.findall(gloss))


def test_invented_names_are_words_of_letters_and_no_held_out_ones(whole: Corpus) -> None:
    rng = random.Random(4)
    names = {child.name for _ in range(2000) for child in draw_children(whole.lexicon, rng, 2)}
    assert all(re.fullmatch("[A-Z][a-z]+", name) for name in names)
    assert names.isdisjoint(whole.lexicon.heldout)
    known = {name for group in ("girls", "boys") for name in whole.lexicon.names[group]}
    assert len(names - known) > 500
