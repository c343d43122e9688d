"""What of a reply may be shown while it grows, where stop texts end it."""


def visible_text(text: str, stop: tuple[str, ...], *, is_final: bool) -> tuple[str, bool]:
    """Return what of a reply so far may be shown, and whether a stop text ended it.

    Everything from the first stop text on is cut. While the reply grows, an end that may still become a stop text is
    held back, so that what was shown never has to be taken away again.
    """
    cuts = [position for word in stop if (position := text.find(word)) >= 0]
    if cuts:
        return text[: min(cuts)], True
    if is_final:
        return text, False
    held = max((_overlap(text, word) for word in stop), default=0)
    return text[: len(text) - held], False


def _overlap(text: str, word: str) -> int:
    """Return the length of the longest end of text that begins word."""
    return next((n for n in range(min(len(word) - 1, len(text)), 0, -1) if text.endswith(word[:n])), 0)
