"""Stop texts: how much of a growing reply may be shown."""

from hypothesis import example, given
from hypothesis import strategies as st

from arena.backends.stop_texts import visible_text
from arena.contestants import FewShotStyle, Shot

# Few letters, so that stop texts really occur in the texts, whole and in part.
LETTERS = "ab\nQ:"
texts = st.text(alphabet=LETTERS, max_size=30)
stops = st.lists(st.text(alphabet=LETTERS, min_size=1, max_size=5), max_size=3).map(tuple)


def cut(text: str, stop: tuple[str, ...]) -> str:
    """Return the text before the first stop text, the slow and plain way."""
    for end in range(len(text)):
        if any(text.startswith(word, end) for word in stop):
            return text[:end]
    return text


@given(st.lists(texts, max_size=8), stops)
@example(["The end.\n", "\nQ: next"], ("\n\n",))
@example(["aab", "a"], ("aba",))
def test_what_was_shown_is_never_taken_back_and_the_end_is_the_cut_text(
    deltas: list[str], stop: tuple[str, ...]
) -> None:
    text, shown = "", ""
    for delta in deltas:
        text += delta
        now, is_stopped = visible_text(text, stop, is_final=False)
        assert now.startswith(shown)
        shown = now
        if is_stopped:
            assert now == cut(text, stop)
            break
    final, is_stopped = visible_text(text, stop, is_final=True)
    assert final.startswith(shown)
    assert final == cut(text, stop)
    assert is_stopped == (final != text)


@given(texts, stops)
def test_no_more_is_held_back_than_may_still_become_a_stop_text(text: str, stop: tuple[str, ...]) -> None:
    shown, is_stopped = visible_text(text, stop, is_final=False)
    held = text[len(shown) :]
    assert is_stopped or held == "" or any(word.startswith(held) for word in stop)


@given(st.text(max_size=60))
def test_without_stop_texts_everything_is_shown_at_once(text: str) -> None:
    assert visible_text(text, (), is_final=False) == (text, False)


def test_the_first_of_several_stop_texts_ends_the_reply() -> None:
    assert visible_text("one END two STOP", ("STOP", "END"), is_final=False) == ("one ", True)


def test_the_stop_texts_of_a_few_shot_style_end_a_reply_that_runs_on() -> None:
    style = FewShotStyle(style="few-shot", examples=(Shot(question="Up?", answer="Down."),))
    ran_on = "Cold.\n\nQuestion: And up?\nAnswer: Down."
    assert visible_text(ran_on, style.stop, is_final=True) == ("Cold.", True)
    assert visible_text("Cold.\nQuestion: And up?", style.stop, is_final=True) == ("Cold.", True)
