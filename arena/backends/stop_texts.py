"""How much of a growing reply may be shown, given the stop texts that would end it."""


def visible_text(text: str, stop: tuple[str, ...], *, is_final: bool) -> tuple[str, bool]:
    """Return the part of a reply that may be shown, and whether a stop text ended it.

    Everything from the first stop text on is cut. While the reply grows, an ending that may still become a stop text is
    held back, so that text once shown is never removed.
    """
    cuts = [position for word in stop if (position := text.find(word)) >= 0]
    if cuts:
        return text[: min(cuts)], True
    if is_final:
        return text, False
    held = max((_overlap(text, word) for word in stop), default=0)
    return text[: len(text) - held], False


def _overlap(text: str, word: str) -> int:
    """Return the length of the longest ending of text that is a beginning of word."""
    return next((n for n in range(min(len(word) - 1, len(text)), 0, -1) if text.endswith(word[:n])), 0)
