"""What synthetic voters see in a reply: a rubric of 100 points, and votes by it with noise and ties.

The rubric judges what can be checked: whether a reply is right, complete, finished, friendly, and does not repeat
itself. It decides the first preference pairs, before any person has voted, and is the gold score that reward models are
compared with. Votes made with it are always marked synthetic.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from random import Random

from training.data.tasks.draw import accepted_replies
from training.data.tasks.tasks import Task
from training.data.world.examples import Example

WORDS = re.compile(r"[a-z']+")
FRIENDLY = re.compile(
    r"\b(good question|happy to|glad|of course|sure|hope|welcome|thank|please|great|nice|lovely|enjoy|well done|"
    r"my pleasure|here you are|sorry|fun)\b"
)
SENTENCE_GAP = re.compile(r"(?<=[.!?])\s+")
NOT_KNOWING = re.compile(r"\b(not know|don't know|do not have|cannot|can't|not sure|no idea)\b")
KIND_WORDS = frozenset(
    [
        "happy",
        "smiled",
        "smile",
        "friends",
        "friend",
        "thank",
        "thanked",
        "helped",
        "kind",
        "fun",
        "glad",
        "proud",
        "love",
        "loved",
    ]
)
POINTS = {"correct": 40.0, "complete": 20.0, "finished": 15.0, "friendly": 15.0, "fluent": 10.0}
STORY_WORDS = 40  # a story or letter of fewer words is not complete
SLACK_WORDS = 14  # words that may stand around a right sentence
TIE = 3.0  # a voter sees no difference below so many points


@dataclass(frozen=True)
class Marks:
    """A reply's share of each part of the rubric, 0 to 1."""

    correct: float
    complete: float
    finished: float
    friendly: float
    fluent: float

    @property
    def points(self) -> float:
        """The weighted sum, 0 to 100."""
        return float(sum(share * weight for share, weight in zip(astuple(self), POINTS.values(), strict=True)))


class Rubric:
    """Marks replies. tasks: give the right replies. vocabulary: the lower-case words that a fluent reply is made of."""

    def __init__(self, tasks: Mapping[str, Task], vocabulary: frozenset[str]) -> None:
        self.tasks = tasks
        self.vocabulary = vocabulary

    def mark(self, example: Example, reply: str, *, is_finished: bool) -> Marks:
        """Mark a reply; an empty one has no points."""
        words = split_words(reply)
        if not reply.strip():
            return Marks(0.0, 0.0, 0.0, 0.0, 0.0)
        ended = reply.rstrip().endswith((".", "!", "?", '"'))
        repeated = repeated_share(words)
        known = sum(word in self.vocabulary for word in words) / len(words) if words else 1.0
        return Marks(
            correct=self._correct(example, reply),
            complete=self._complete(example, reply, words),
            finished=0.5 * is_finished + 0.5 * (is_finished and ended),
            friendly=_friendly(example, reply, words),
            fluent=(0.5 if repeated < 0.2 else 0.0) + 0.5 * known,
        )

    def is_exact(self, example: Example, reply: str) -> bool:
        """Say whether a reply to a checkable prompt is right.

        Right is the bare answer or one of the task's right replies, also with a friendly closing, or a reply in which
        one of its right sentences stands whole, with at most a few words around it.
        """
        whole, body = normalise(reply), normalise(without_closing(reply))
        task = self.tasks[example.task]
        if task.kind != "two" and {whole, body} & {normalise(answer) for answer in example.answers}:
            return True
        for form, text in accepted_replies(task, example):
            right = normalise(text)
            if right in (whole, body) or (
                form != "short"
                and f" {right} " in f" {whole} "
                and len(whole.split()) <= len(right.split()) + SLACK_WORDS
            ):
                return True
        return False

    def _correct(self, example: Example, reply: str) -> float:
        if example.kept:
            story = f" {normalise(without_title(reply))} "
            return sum(f" {normalise(kept)} " in story for kept in example.kept) / len(example.kept)
        if example.answers:
            return 1.0 if self.is_exact(example, reply) else 0.0
        if (task := self.tasks.get(example.task)) and task.kind == "topic":
            return 1.0 if NOT_KNOWING.search(reply.lower()) else 0.0
        # A written pair: the share of its reply's words that are there.
        wanted = set(split_words(example.reply))
        return len(wanted & set(split_words(reply))) / len(wanted) if wanted else 1.0

    def _complete(self, example: Example, reply: str, words: list[str]) -> float:
        if example.is_composed:
            task = self.tasks.get(example.task)
            wanted = STORY_WORDS // 2 if task and task.asks_with("beginning") else STORY_WORDS
            return min(1.0, len(words) / wanted)
        return 1.0 if len(reply.split()) >= 4 and reply.rstrip().endswith((".", "!", "?")) else 0.0


def cast_vote(first: float, second: float, rng: Random, noise: float) -> str:
    """Vote between two rubric scores: "first", "second" or "tie".

    The voter sees the difference with logistic noise of the given scale (points), so that its votes follow
    Bradley-Terry; a difference that looks smaller than TIE points is a tie.
    """
    doubt = 0.0
    if noise:
        u = min(max(rng.random(), 1e-12), 1 - 1e-12)
        doubt = noise * math.log(u / (1 - u))
    seen = first - second + doubt
    return "tie" if abs(seen) < TIE else "first" if seen > 0 else "second"


def without_title(story: str) -> str:
    """Return a story without the title above it, since a name in the title alone is not in the story."""
    return story.split("\n\n", 1)[-1]


def without_closing(reply: str) -> str:
    """Return a reply without its last sentence, where that is a friendly one after others."""
    sentences = SENTENCE_GAP.split(reply.strip())
    return " ".join(sentences[:-1] if FRIENDLY.search(sentences[-1].lower()) else sentences)


def normalise(text: str) -> str:
    """Return a text in lower case, without punctuation at the borders of words, single spaces between."""
    return " ".join(re.findall(r"[a-z0-9]+(?:['-][a-z0-9]+)*", text.lower()))


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case, without digits and punctuation."""
    return WORDS.findall(text.lower())


def repeated_share(words: list[str]) -> float:
    """Return the share of word trigrams that occurred before in the same reply, 0.0 to 1.0."""
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    return 1.0 - len(set(trigrams)) / len(trigrams) if trigrams else 0.0


def distinct_share(replies: list[str], n: int) -> float:
    """Return distinct-n (Li et al., 2016, arXiv:1510.03055): different word n-grams, over all of them."""
    grams = [
        gram
        for reply in replies
        for words in [split_words(reply)]
        for gram in zip(*(words[i:] for i in range(n)), strict=False)
    ]
    return len(set(grams)) / len(grams) if grams else 0.0


def _friendly(example: Example, reply: str, words: list[str]) -> float:
    if example.is_composed:
        return min(1.0, len(KIND_WORDS & set(words)) / 2)
    # Only at the end: a policy that is rewarded for opening with "Sure!" loses sight of what was asked.
    closing = SENTENCE_GAP.split(reply.strip().lower())[-1]
    return 1.0 if FRIENDLY.search(closing) else 0.0
