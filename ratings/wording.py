"""Numbers and names as they stand in a sentence."""


def printable(name: str) -> str:
    """Return a name that stays on its line of a terminal: it may hold line breaks or escapes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
