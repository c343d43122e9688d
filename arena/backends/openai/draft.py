"""A reply as it grows: what may be shown of it; stop texts are applied whether or not the endpoint applies them."""

from arena.backends.stop_texts import visible_text


class Draft:
    """The text so far, without spaces at its ends. Each piece is looked at once, so that long replies cost no more."""

    def __init__(self, stop: tuple[str, ...]) -> None:
        self._stop = stop
        self._shown: list[str] = []
        self._held = ""  # may still become a stop text
        self.is_stopped = False

    def add(self, piece: str) -> str:
        """Return what more may be shown; nothing follows once a stop text has ended the reply."""
        grown = self._held + piece
        if not self._shown:
            grown = grown.lstrip()
        more, self.is_stopped = visible_text(grown, self._stop, is_final=False)
        self._held = "" if self.is_stopped else grown[len(more) :]
        if more:
            self._shown.append(more)
        return more

    @property
    def text(self) -> str:
        """Return the reply, what is held back included."""
        return ("".join(self._shown) + self._held).rstrip()
