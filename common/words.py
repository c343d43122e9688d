"""Numbers in sentences."""


def plural(n: int, what: str, several: str = "") -> str:
    """Return "1 vote" or "1,200 votes"; several is the plural if it is not formed with an s."""
    return f"{n:,} {what if n == 1 else several or what + 's'}"
