"""Numbers in sentences."""


def plural(number: int, one: str, many: str = "", *, commas: bool = False) -> str:
    """Return "1 vote" or "1200 votes", with `commas` "1,200 votes"; `many` is for what does not end in s."""
    return f"{number:{',' if commas else ''}} {one if number == 1 else many or one + 's'}"
