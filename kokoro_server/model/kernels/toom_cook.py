"""Compute the matrices of Toom-Cook (Winograd) convolutions, which take fewer multiplications than taps.

m outputs of an r-tap filter g over a signal d cost n = m + r - 1 multiplications instead of m * r:

    y = output_matrix @ ((filter_matrix @ g) * (input_matrix @ d))

The correlation is the transpose of a product of two polynomials of m and r coefficients. That product has n
coefficients and is determined by its values at n points, one of which is infinity (the leading coefficient).
Transposing "evaluate both, multiply, interpolate" gives the formula above: output_matrix is the transposed evaluation
of the m-term polynomial, filter_matrix the evaluation of the r-term one, input_matrix the transposed interpolation.

See A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks" (2015), and on the choice of points
B. Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks" (2020).
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

# By the number of points in pairs ±p. The two points of a pair share half of their sums (even and odd powers), and
# small simple fractions keep float32's error near 1e-5 up to 16 points.
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
    """Hold the matrices of F(m, r), m outputs of r taps: output [m, n], filter [n, r], input [n, n]; `outputs` is m.

    The points are ordered 0, p1, -p1, p2, -p2, ..., infinity, so n is even.
    """

    outputs: int
    filter_matrix: Matrix
    input_matrix: Matrix
    output_matrix: Matrix

    @property
    def point_count(self) -> int:
        """Multiplications for one tile of m outputs: n."""
        return len(self.input_matrix)


def make_scheme(outputs: int, taps: int) -> Scheme:
    """Compute the three matrices of F(outputs, taps). Raises ValueError unless outputs + taps is odd and 5 to 19."""
    points = _choose_points(outputs + taps - 2)
    evaluation, filter_matrix = _evaluate_powers(points, outputs), _evaluate_powers(points, taps)
    interpolation = _interpolate(points)
    # Scale each point's row of the input and output matrices to norm 1, and put both factors into the filter's, which
    # is applied in float64 once: so no point dominates the rounding in float32.
    scale_in = np.linalg.norm(interpolation, axis=1, keepdims=True)
    scale_out = np.linalg.norm(evaluation, axis=1, keepdims=True)
    filter_matrix = filter_matrix * scale_in * scale_out
    return Scheme(outputs, filter_matrix, interpolation / scale_in, (evaluation / scale_out).T)


def _choose_points(finite: int) -> list[Fraction]:
    """Return 0 and the pairs: an odd number of finite points, so that with infinity n is even."""
    if finite - 1 not in PAIRS:
        raise ValueError(f"{finite} finite points: an odd number up to {max(PAIRS) + 1} was expected")
    return [Fraction(0), *(sign * Fraction(pair) for pair in PAIRS[finite - 1] for sign in (1, -1))]


def _evaluate_powers(points: list[Fraction], terms: int) -> Matrix:
    """Return [points + 1, terms]: the powers of each point, and for infinity the leading term alone."""
    rows = [[float(point**power) for power in range(terms)] for point in points]
    return np.array([*rows, [0.0] * (terms - 1) + [1.0]])


def _interpolate(points: list[Fraction]) -> Matrix:
    """Return [n, n]: row i has the coefficients of the i-th Lagrange polynomial, the last row those of Π(x - p)."""
    rows = []
    for i, point in enumerate(points):
        others = points[:i] + points[i + 1 :]
        divisor = Fraction(1)
        for other in others:
            divisor *= point - other
        rows.append([float(c / divisor) for c in _multiply_roots(others)] + [0.0])
    return np.array([*rows, [float(c) for c in _multiply_roots(points)]])


def _multiply_roots(roots: list[Fraction]) -> list[Fraction]:
    """Return the coefficients, lowest first, of Π(x - root)."""
    coefficients = [Fraction(1)]
    for root in roots:
        # x * polynomial - root * polynomial
        raised = [Fraction(0), *coefficients]
        lowered = [-root * c for c in coefficients] + [Fraction(0)]
        coefficients = [a + b for a, b in zip(raised, lowered, strict=True)]
    return coefficients
