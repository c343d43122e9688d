"""Numbers that are given from Python, where nothing but a check keeps a text or a flag out."""

from numbers import Integral, Real
from typing import Any

from ratings.errors import SettingsError


def check_numbers(**options: Any) -> None:
    """Raise SettingsError for an option that is neither a number nor None."""
    for name, value in options.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, Real)):
            raise SettingsError(f"{name} is {value!r}; give a number")


def check_whole(**options: Any) -> None:
    """Raise SettingsError for an option that is neither a whole number nor None."""
    for name, value in options.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, Integral)):
            raise SettingsError(f"{name} is {value!r}; give a whole number")
