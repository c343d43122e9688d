"""When votes are grouped, and what is said of it."""

import numpy as np
import pytest

from ratings.errors import VotesError
from ratings.intervals.grouping import codes_of, group, remark_on_largest
from ratings.votes.clusters import ClusterSizes, sizes_of, tally
from ratings.votes.votes import Votes


def cast(*each: int) -> Votes:
    """Return votes of voters who cast so many each."""
    voter = np.repeat(np.arange(len(each)), each)
    zeros = np.zeros(len(voter), dtype=np.int64)
    return Votes(("a", "b"), zeros, zeros + 1, zeros.astype(np.int8), len(voter), voter=voter)


def test_enough_voters_are_grouped_by() -> None:
    told = group(cast(*[3] * 40), "voter")
    assert (told.cluster, told.words, told.is_too_few) == ("voter", "votes grouped by 40 voters", False)
    assert told.codes is not None


def test_nine_voters_and_a_hundred_of_whom_one_cast_nearly_all_are_too_few() -> None:
    for votes, number in ((cast(*[50] * 9), "9 voters are"), (cast(1000, *[1] * 99), "100 voters, worth 1 of equal")):
        told = group(votes, "voter")
        assert (told.cluster, told.codes, told.is_too_few) == ("none", None, True)
        assert told.words.startswith(f"every vote taken as independent: {number}")


def test_votes_of_one_program_are_independent_and_those_of_many_are_not() -> None:
    told = group(cast(500), "voter", are_simulated=True)
    assert (told.words, told.is_too_few) == ("every vote taken as independent: a program cast them", False)
    assert group(cast(*[5] * 30), "voter", are_simulated=True).cluster == "voter"
    assert group(cast(500), "voter").is_too_few


def test_silence_of_the_votes_and_the_wish_of_the_asker_are_told_apart() -> None:
    votes = cast(*[5] * 30)
    assert group(votes, "none").words == "every vote taken as independent, as asked for"
    unsaid = group(None, "voter")
    assert unsaid.words == "every vote taken as independent: the votes do not say who cast them"
    assert not unsaid.is_too_few
    assert group(None, "voter", sizes=ClusterSizes(3, 3.0, 0.4)).is_too_few
    with pytest.raises(VotesError, match="which prompt they are about"):
        codes_of(votes, "prompt")


def test_tally_in_blocks_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = np.random.default_rng(1).integers(0, 30, 500).astype(np.int32)
    monkeypatch.setattr("ratings.votes.clusters._BLOCK", 64)
    assert tally(codes).tolist() == np.bincount(codes).tolist()
    assert tally(codes[:0]).tolist() == []


def test_large_share_of_one_voter_is_remarked_without_a_name() -> None:
    assert remark_on_largest(sizes_of(cast(30, *[2] * 35).voter), "voter") == "one voter cast 30% of the votes"  # type: ignore[arg-type]
    assert remark_on_largest(sizes_of(cast(*[2] * 11).voter), "voter") == ""  # type: ignore[arg-type]
    assert remark_on_largest(None, "voter") == ""
