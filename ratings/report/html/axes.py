"""Numbers to places along an axis, in percent of its length, and the round numbers that stand beneath it.

A figure has no width of its own: places are percentages, so one drawing fits a desk and a telephone and
its letters keep their size.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_PAD = 0.04
"""Of the axis, free at either end, so that no mark touches the edge."""

_FACTORS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@dataclass(frozen=True)
class Axis:
    """A stretch of numbers."""

    low: float
    high: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """Return the place of a value, 0 at the low end and 100 at the high one."""
        if self.is_log:
            return 100 * (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return 100 * (value - self.low) / (self.high - self.low)

    def holds(self, value: float) -> bool:
        """Return whether the value lies on the axis."""
        return self.low <= value <= self.high

    @property
    def ticks(self) -> list[float]:
        """Return the numbers that are written beneath it, at most six."""
        return _factors(self) if self.is_log else round_numbers(self.low, self.high)


def axis_over(values: Iterable[float | None], *, is_log: bool = False, from_zero: bool = False) -> Axis:
    """Return an axis that holds all values with some room; None and what is not finite are passed over."""
    known = [value for value in values if value is not None and math.isfinite(value) and (value > 0 or not is_log)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if is_log:
        low, high = min(low, 1 / 1.1), max(high, 1.1)
        room = (math.log(high) - math.log(low)) * _PAD
        return Axis(low / math.exp(room), high * math.exp(room), is_log=True)
    if from_zero:
        return Axis(0.0, (high or 1.0) * (1 + 2 * _PAD))
    if high - low < 1e-9 * max(abs(high), 1.0):
        low, high = low - 1, high + 1
    room = (high - low) * _PAD
    return Axis(low - room, high + room)


def round_numbers(low: float, high: float, most: int = 5) -> list[float]:
    """Return at most `most` + 1 multiples of 1, 2 or 5 times a power of ten from `low` to `high`."""
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * times for times in (1, 2, 5, 10) if size * times >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _factors(axis: Axis) -> list[float]:
    """Return round factors with room between two of them; 1 is always among them."""
    shown = [1.0] if axis.holds(1.0) else []
    for factor in sorted((one for one in _FACTORS if axis.holds(one)), key=_plainness):
        if all(abs(axis.at(factor) - axis.at(other)) > 14 for other in shown):
            shown.append(factor)
    return sorted(shown)


def _plainness(factor: float) -> int:
    return len(f"{factor:g}")
