"""First pairs: the best reply against each worse one, and broken copies that never equal the chosen."""

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from training.data.world import Example
from training.pairs import break_reply, make_pairs
from training.sampling import Sample

COW = Example("sound", "What does a cow say?", "A cow says moo.", ("cow", "moo"))
WORDS = frozenset({"a", "cow", "dog", "says", "moo", "woof"})


def sample(text: str, *, is_finished: bool = True) -> Sample:
    return Sample(text, is_finished, [1], [2])


def sides(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in rows]


def test_the_best_reply_is_paired_with_each_worse_one() -> None:
    samples = [sample("A dog says woof."), sample("A cow says moo."), sample("Blorp", is_finished=False)]
    rows = make_pairs(COW, samples, WORDS)
    assert sides(rows) == [("A cow says moo.", "A dog says woof."), ("A cow says moo.", "Blorp")]


def test_a_reply_as_good_as_the_best_is_no_rejected_side() -> None:
    samples = [sample("A cow says moo."), sample("A cow says moo!"), sample("A dog says woof.")]
    assert sides(make_pairs(COW, samples, WORDS)) == [("A cow says moo.", "A dog says woof.")]


def test_replies_that_score_alike_make_no_pair() -> None:
    assert make_pairs(COW, [sample("A cow says moo."), sample("A cow says moo!")], WORDS) == []
    assert make_pairs(COW, [sample("A cow says moo.")] * 3, WORDS) == []


def test_empty_replies_take_no_part() -> None:
    assert make_pairs(COW, [sample("A cow says moo."), sample(""), sample(" \n")], WORDS) == []
    assert make_pairs(COW, [sample(""), sample("")], WORDS) == []
    assert make_pairs(COW, [], WORDS) == []


def test_a_pair_has_the_shape_of_the_arenas_export_and_says_that_nobody_voted() -> None:
    [row] = make_pairs(COW, [sample("A cow says moo."), sample("A dog says woof.")], WORDS)
    assert row == {
        "prompt": [{"role": "user", "content": COW.prompt}],
        "chosen": [{"role": "assistant", "content": "A cow says moo."}],
        "rejected": [{"role": "assistant", "content": "A dog says woof."}],
        "margin": 0.0,
        "source": "synthetic",
    }


REPLIES = st.lists(st.sampled_from(["A", "cow", "says", "moo.", "moo"]), min_size=1, max_size=8).map(" ".join)


@given(REPLIES, st.integers(0, 1000))
def test_a_broken_reply_is_some_text_and_never_the_chosen_one(chosen: str, seed: int) -> None:
    row = {"prompt": [{"content": "Hello!"}], "chosen": [{"content": chosen}], "rejected": [{"content": "x"}]}
    [(kept, broken)] = sides([break_reply(row, random.Random(seed))])
    assert kept == chosen
    assert broken.strip()
    assert broken.split() != chosen.split()
    assert set(broken.split()) <= set(chosen.split())


def test_replies_are_broken_in_several_ways_and_the_pair_is_left_as_it_was() -> None:
    row = make_pairs(COW, [sample("A cow says moo and moo again."), sample("A dog says woof.")], WORDS)[0]
    before = repr(row)
    rng = random.Random(0)
    lengths = {len(break_reply(row, rng)["rejected"][0]["content"].split()) for _ in range(60)}
    assert lengths == {1, 2, 8, 21}  # one word, cut, shuffled, repeated
    assert repr(row) == before
