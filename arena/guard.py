"""Which prompts are let in. Everything a visitor types is hostile until it has passed here."""

import re
import unicodedata

MAX_LETTERS = 2000
# Control tokens of the common chat formats; a backend also refuses the exact ones of its own tokenizer.
CONTROL_TOKENS = re.compile(r"<\|[\w .:-]{1,40}\|>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>", re.IGNORECASE)


class PromptRefused(ValueError):
    """A prompt that starts no battle; the text is shown on the page."""


def check_prompt(text: object) -> str:
    """Return the prompt, trimmed and with line ends as one character.

    Raises:
        PromptRefused: empty, too long, with control tokens of a chat format, or with control characters.
    """
    if not isinstance(text, str) or not text.strip():
        raise PromptRefused("Type a prompt first, or click one of the ready ones.")
    if len(text) > MAX_LETTERS:
        raise PromptRefused(f"That prompt is too long: at most {MAX_LETTERS:,} characters are read.")
    prompt = re.sub(r"\r\n?", "\n", text).strip()
    if found := CONTROL_TOKENS.search(prompt):
        raise PromptRefused(f"{found.group()!r} is a control token of a chat format: write it another way.")
    if any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t" for letter in prompt):
        raise PromptRefused("The prompt holds characters that cannot be shown: remove them.")
    return prompt
