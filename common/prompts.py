"""Which prompts are the same: to the ledger, which counts one vote of a visitor on each, and to the export's split."""

import re
import unicodedata


def prompt_key(prompt: str) -> str:
    """Return a key that is equal for prompts that differ only in case, spacing and punctuation at the end."""
    words = " ".join(unicodedata.normalize("NFKC", prompt).casefold().split())
    return re.sub(r"[\s.?!]+$", "", words) or words
