"""Numbers and names as they stand in a sentence."""


def plural(number: int, one: str, many: str = "", *, commas: bool = False) -> str:
    """Return "1 vote" or "1200 votes", with `commas` "1,200 votes"; `many` is for what does not end in s."""
    return f"{number:{',' if commas else ''}} {one if number == 1 else many or one + 's'}"


def printable(name: str) -> str:
    """Return a name that stays on its line of a terminal: it may hold line breaks or escapes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def one_line(text: str, most: int = 400) -> str:
    """Return a message as one line of about `most` characters; its end, which tells the way out, is kept."""
    whole = printable(text)
    if len(whole) <= most:
        return whole
    end = most // 3
    return f"{whole[: most - end - 3]}...{whole[-end:]}"
