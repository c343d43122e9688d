"""Newton's method where it must halve its steps, and where there is no top to reach."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ratings.errors import NotConvergedError
from ratings.fit.newton import Place, maximise, pseudo_inverse

FLAT = np.array([1.0, 1.0, 0.0])


def at(parameters: NDArray[np.float64]) -> Place:
    """Return the place of -sqrt(1 + x^2), whose full steps overshoot from afar, in two directions."""
    x = np.array([parameters[0] - parameters[1], parameters[2] - 3.0])
    slope = -x / np.sqrt(1 + x**2)
    curve = (1 + x**2) ** -1.5
    gradient = np.array([slope[0], -slope[0], slope[1]])
    hessian = np.array([[curve[0], -curve[0], 0], [-curve[0], curve[0], 0], [0, 0, curve[1]]])
    return Place(gradient, lambda: hessian)


@pytest.mark.parametrize("start", [[0.0, 0.0, 0.0], [9.0, 2.0, 40.0], [-30.0, 5.0, -7.0]])
def test_top_is_reached_from_afar_without_a_part_along_flat(start: list[float]) -> None:
    top = maximise(at, np.array(start), flat=FLAT, votes=1.0, name="a test")
    assert top.parameters == pytest.approx([0, 0, 3], abs=1e-9)
    assert np.abs(top.last.gradient).max() < 1e-9


def test_gradient_without_a_top_is_no_fit() -> None:
    with pytest.raises(NotConvergedError, match="a slope"):
        maximise(lambda x: Place(1 + 0 * x, lambda: np.eye(3)), np.zeros(3), flat=FLAT, votes=1.0, name="a slope")


def test_climb_that_runs_off_until_no_information_is_left_is_no_fit() -> None:
    with pytest.raises(NotConvergedError, match="a cliff ran off"):
        maximise(
            lambda x: Place(1 + 0 * x, lambda: np.zeros((3, 3))), np.zeros(3), flat=FLAT, votes=1.0, name="a cliff"
        )


def test_pseudo_inverse_is_numpys_along_any_direction() -> None:
    rng = np.random.default_rng(0)
    for flat in (np.ones(5), np.array([1.0, 1.0, 1.0, 0.0, 0.0])):
        away = np.eye(5) - np.outer(flat, flat) / (flat @ flat)
        half = away @ rng.normal(size=(5, 8))
        assert pseudo_inverse(half @ half.T, flat) == pytest.approx(np.linalg.pinv(half @ half.T), abs=1e-12)
