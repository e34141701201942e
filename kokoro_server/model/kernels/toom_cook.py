"""Short convolutions with fewer multiplications: Toom and Cook's evaluation at points, as Winograd used it.

m outputs of an r-tap filter are a product of polynomials read backwards; evaluated at n = m + r - 1 points it
costs n multiplications instead of m * r. See A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural
Networks" (2015), and on the choice of points B. Barabasz et al., "Error Analysis and Improving the Accuracy
of Winograd Convolution for Deep Neural Networks" (2020).
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

# Pairs ±p share half of their sums; small simple fractions keep float32's error near 1e-5 up to 16 points.
PAIRS = {
    2: ("1",),
    4: ("1", "2"),
    6: ("1", "1/2", "2"),
    8: ("1", "5/2", "2/5", "5/4"),
    10: ("1", "5/2", "2/5", "2/3", "4/3"),
    12: ("1", "4/7", "5/3", "7/2", "2/7", "6/5"),
    14: ("1", "7/2", "2", "5/4", "1/2", "4/5", "2/7"),
    16: ("1", "4", "1/2", "2", "6/7", "1/4", "5/7", "3/2"),
}


@dataclass(frozen=True)
class Scheme:
    """y = output @ ((taps @ g) * (input @ d)): output [m, n], taps [n, r], input [n, n].

    The points are ordered 0, p1, -p1, p2, -p2, ..., infinity, which leaves n even.
    """

    outputs: int
    taps: Matrix
    input: Matrix
    output: Matrix

    @property
    def points(self) -> int:
        """n, the multiplications for one tile."""
        return len(self.input)


def scheme(outputs: int, taps: int) -> Scheme:
    """The three matrices of F(outputs, taps), rows balanced so that each point weighs alike in float32."""
    points = _points(outputs + taps - 2)
    at, g = _evaluate(points, outputs), _evaluate(points, taps)
    inverse = _interpolation(points)
    scale_in = np.linalg.norm(inverse, axis=1, keepdims=True)
    scale_out = np.linalg.norm(at, axis=1, keepdims=True)
    return Scheme(outputs, g * scale_in * scale_out, inverse / scale_in, (at / scale_out).T)


def _points(finite: int) -> list[Fraction]:
    """Zero and the pairs: an odd number of finite points, so that with infinity n is even."""
    if finite - 1 not in PAIRS:
        raise ValueError(f"{finite} finite points: an odd number up to {max(PAIRS) + 1} was expected")
    return [Fraction(0), *(sign * Fraction(pair) for pair in PAIRS[finite - 1] for sign in (1, -1))]


def _evaluate(points: list[Fraction], terms: int) -> Matrix:
    """[points + 1, terms]: the powers of each point, and the leading term alone for infinity."""
    rows = [[float(point**power) for power in range(terms)] for point in points]
    return np.array([*rows, [0.0] * (terms - 1) + [1.0]])


def _interpolation(points: list[Fraction]) -> Matrix:
    """[n, n]: row i holds the coefficients of the i-th Lagrange polynomial; the last, those of Π(x - p)."""
    rows = []
    for i, point in enumerate(points):
        others = points[:i] + points[i + 1 :]
        divisor = Fraction(1)
        for other in others:
            divisor *= point - other
        rows.append([float(c / divisor) for c in _product(others)] + [0.0])
    return np.array([*rows, [float(c) for c in _product(points)]])


def _product(roots: list[Fraction]) -> list[Fraction]:
    """The coefficients, lowest first, of Π(x - root)."""
    coefficients = [Fraction(1)]
    for root in roots:
        raised = [Fraction(0), *coefficients]
        lowered = [-root * c for c in coefficients] + [Fraction(0)]
        coefficients = [a + b for a, b in zip(raised, lowered, strict=True)]
    return coefficients
