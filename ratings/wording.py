"""Numbers and names as they stand in a sentence."""


def printable(name: str) -> str:
    """Return a name that stays on its line of a terminal: it may hold line breaks or escapes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def small_share(share: float) -> str:
    """Return a share in percent with two digits that count, such as "0.27%", "1.7%" or "100%"."""
    percent = 100 * share
    return f"{percent:.0f}%" if percent >= 9.95 else f"{percent:.2g}%"
