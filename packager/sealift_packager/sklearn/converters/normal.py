"""The error function, and the normal distribution's function and its inverse, in float64: ONNX has the first in float32 alone.

Sources of the rational approximations: W. J. Cody, "Rational Chebyshev approximations for the error function", Mathematics of Computation 23 (1969);
M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37 (1988). Both are good for 16 digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from sealift_packager.graph.nodes import NodeWriter

#: Numerator and denominator of Cody's three ranges, highest power first.
_NEAR: Final = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
_MIDDLE: Final = (
    (
        2.15311535474403846e-8,
        5.64188496988670089e-1,
        8.88314979438837594,
        6.61191906371416295e1,
        2.98635138197400131e2,
        8.81952221241769090e2,
        1.71204761263407058e3,
        2.05107837782607147e3,
        1.23033935479799725e3,
    ),
    (
        1.0,
        1.57449261107098347e1,
        1.17693950891312499e2,
        5.37181101862009858e2,
        1.62138957456669019e3,
        3.29079923573345963e3,
        4.36261909014324716e3,
        3.43936767414372164e3,
        1.23033935480374942e3,
    ),
)
_FAR: Final = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3),
)
_NEAR_MOST: Final = 0.46875
_MIDDLE_MOST: Final = 4.0
#: From here on exp(-x²) is 0 in float64.
_ZERO_FROM: Final = 27.0
#: Wichura's: about the middle, at the sides and in the tails, highest power first.
_CENTRAL: Final = (
    (
        2.5090809287301226727e3,
        3.3430575583588128105e4,
        6.7265770927008700853e4,
        4.5921953931549871457e4,
        1.3731693765509461125e4,
        1.9715909503065514427e3,
        1.3314166789178437745e2,
        3.3871328727963666080,
    ),
    (
        5.2264952788528545610e3,
        2.8729085735721942674e4,
        3.9307895800092710610e4,
        2.1213794301586595867e4,
        5.3941960214247511077e3,
        6.8718700749205790830e2,
        4.2313330701600911252e1,
        1.0,
    ),
)
_SIDES: Final = (
    (
        7.74545014278341407640e-4,
        2.27238449892691845833e-2,
        2.41780725177450611770e-1,
        1.27045825245236838258,
        3.64784832476320460504,
        5.76949722146069140550,
        4.63033784615654529590,
        1.42343711074968357734,
    ),
    (
        1.05075007164441684324e-9,
        5.47593808499534494600e-4,
        1.51986665636164571966e-2,
        1.48103976427480074590e-1,
        6.89767334985100004550e-1,
        1.67638483018380384940,
        2.05319162663775882187,
        1.0,
    ),
)
_TAILS: Final = (
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        1.24266094738807843860e-3,
        2.65321895265761230930e-2,
        2.96560571828504891230e-1,
        1.78482653991729133580,
        5.46378491116411436990,
        6.65790464350110377720,
    ),
    (
        2.04426310338993978564e-15,
        1.42151175831644588870e-7,
        1.84631831751005468180e-5,
        7.86869131145613259100e-4,
        1.48753612908506148525e-2,
        1.36929880922735805310e-1,
        5.99832206555887937690e-1,
        1.0,
    ),
)
_CENTRAL_MOST: Final = 0.425
_CENTRAL_SQUARE: Final = 0.180625
_SIDES_MOST: Final = 5.0
_SIDES_START: Final = 1.6


class NormalWriter:
    """Writes the functions, each from a float64 tensor to one of its shape."""

    def __init__(self, writer: NodeWriter) -> None:
        self._writer = writer

    def error_function(self, value: str) -> str:
        """erf(x)."""
        size, one = self._add("Abs", value), self._number(1)
        small = self._add("LessOrEqual", size, self._number(_NEAR_MOST))
        near_by = self._add("Where", small, value, self._number(0))
        near = self._add("Mul", near_by, self._ratio(self._add("Mul", near_by, near_by), _NEAR))
        outer = self._add("Mul", self._add("Sign", value), self._add("Sub", one, self._complement_of(size)))
        return self._add("Where", small, near, outer)

    def distribution(self, value: str) -> str:
        """The share of a normal distribution below x."""
        root = self._add("Mul", value, self._number(-np.sqrt(0.5)))
        size = self._add("Abs", root)
        small = self._add("LessOrEqual", size, self._number(_NEAR_MOST))
        below = self._complement_of(size)  # for a positive root, which is far below the middle
        far = self._add("Where", self._add("Less", root, self._number(0)), self._add("Sub", self._number(2), below), below)
        near = self._add("Sub", self._number(1), self.error_function(root))
        return self._add("Mul", self._number(0.5), self._add("Where", small, near, far))

    def quantile(self, share: str) -> str:
        """The x that has this share of a normal distribution below it; the share is between 0 and 1."""
        middle = self._add("Sub", share, self._number(0.5))
        central = self._add("LessOrEqual", self._add("Abs", middle), self._number(_CENTRAL_MOST))
        kept = self._add("Where", central, middle, self._number(0))
        inner = self._add("Sub", self._number(_CENTRAL_SQUARE), self._add("Mul", kept, kept))
        near = self._add("Mul", kept, self._ratio(inner, _CENTRAL))
        tail = self._add("Min", share, self._add("Sub", self._number(1), share))
        depth = self._add("Sqrt", self._add("Neg", self._add("Log", tail)))
        sides = self._ratio(self._add("Sub", depth, self._number(_SIDES_START)), _SIDES)
        tails = self._ratio(self._add("Sub", depth, self._number(_SIDES_MOST)), _TAILS)
        far = self._add("Where", self._add("LessOrEqual", depth, self._number(_SIDES_MOST)), sides, tails)
        return self._add("Where", central, near, self._add("Mul", self._add("Sign", middle), far))

    def _complement_of(self, size: str) -> str:
        """1 - erf(x) for x above Cody's first range."""
        given = self._add("Min", self._add("Max", size, self._number(_NEAR_MOST)), self._number(_ZERO_FROM))
        square = self._add("Mul", given, given)
        inverse = self._add("Reciprocal", square)
        tail = self._add("Sub", self._number(np.sqrt(1 / np.pi)), self._add("Mul", inverse, self._ratio(inverse, _FAR)))
        middle = self._add("LessOrEqual", given, self._number(_MIDDLE_MOST))
        scaled = self._add("Where", middle, self._ratio(given, _MIDDLE), self._add("Div", tail, given))
        return self._add("Mul", self._add("Exp", self._add("Neg", square)), scaled)

    def _ratio(self, value: str, powers: tuple[Sequence[float], Sequence[float]]) -> str:
        above, below = (self._polynomial(value, numbers) for numbers in powers)
        return self._add("Div", above, below)

    def _polynomial(self, value: str, numbers: Sequence[float]) -> str:
        result = self._number(numbers[0])
        for number in numbers[1:]:
            result = self._add("Add", self._add("Mul", result, value), self._number(number))
        return result

    def _number(self, value: float) -> str:
        return self._writer.constant(f"normal_{len(self._writer.initializers)}", np.float64(value))

    def _add(self, operator: str, *inputs: str) -> str:
        return self._writer.add(operator, *inputs)
