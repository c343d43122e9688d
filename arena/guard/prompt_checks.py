"""Which prompts are accepted. Everything a visitor types counts as hostile until it has passed here.

Letters of every language, emoji and their joiners pass unchanged. Characters that Unicode has not assigned yet may be
new emoji, so they pass too; private-use characters pass beside others, since they may be visible.
"""

import re
import unicodedata

MAX_CHARACTERS = 2000
MAX_MARKS = 20  # combining marks in a row: no script needs so many, and a stack of them covers the page
# Control tokens of the common chat formats; a backend also refuses those of its own tokenizer. "<s>" is not among
# them: it is HTML too, and a backend whose tokenizer has it passes it on as text.
CONTROL_TOKENS = re.compile(r"<\|[\w .:-]{1,40}\|>|\[/?INST\]|<(?:start|end)_of_turn>", re.IGNORECASE)
LINE_ENDS = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
# Invisible, although letters or symbols by category: Hangul fillers, the Braille blank, a musical null.
BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800\ufffc\U0001d159")
UNSEEN = ("C", "M", "Z")  # main categories: control, format and unassigned; marks; spaces
UNASSIGNED_UNSEEN = ((0x2065, 0x2065), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF))  # default ignorable in Unicode


class PromptRefused(ValueError):
    """A prompt that starts no battle; the text is shown on the page."""


def check_prompt(text: object) -> str:
    """Return the prompt, trimmed, with every kind of line end as a newline.

    Raises:
        PromptRefused: empty or invisible, too long, with control tokens of a chat format, with control characters,
            or with characters under stacks of combining marks.
    """
    if not isinstance(text, str) or not text.strip():
        raise PromptRefused("Type a prompt first, or click one of the ready ones.")
    if len(text) > MAX_CHARACTERS:
        raise PromptRefused(f"That prompt is too long: at most {MAX_CHARACTERS:,} characters are allowed.")
    prompt = LINE_ENDS.sub("\n", text).strip()
    if token := CONTROL_TOKENS.search(prompt):
        raise PromptRefused(f"{token.group()!r} is a control token of a chat format: write it another way.")
    if any(_is_control(character) for character in prompt):
        raise PromptRefused("The prompt holds characters that cannot be shown: remove them.")
    if not any(map(_is_seen, prompt)):
        raise PromptRefused("Type a prompt first, or click one of the ready ones.")
    if _count_marks(prompt) > MAX_MARKS:
        raise PromptRefused(f"One letter has more than {MAX_MARKS} accents: remove some.")
    return prompt


def _is_control(character: str) -> bool:
    category, code = unicodedata.category(character), ord(character)
    is_noncharacter = 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE
    return (category in ("Cc", "Cs") and character not in "\n\t") or is_noncharacter


def _is_seen(character: str) -> bool:
    category = unicodedata.category(character)
    if category == "Cn":
        return not any(first <= ord(character) <= last for first, last in UNASSIGNED_UNSEEN)
    return category[0] not in UNSEEN and character not in BLANKS


def _count_marks(text: str) -> int:
    """Return the length of the longest run of combining marks; format characters neither count nor end it."""
    longest = run = 0
    for character in text:
        category = unicodedata.category(character)
        if category[0] == "M":
            run += 1
        elif category != "Cf":
            run = 0
        longest = max(longest, run)
    return longest
