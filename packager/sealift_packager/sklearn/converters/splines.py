"""scikit-learn's SplineTransformer as polynomials between the knots, in float64."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.errors import ConversionError
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.model.source import Array
from sealift_packager.sklearn.converters.columns import numbers_type
from sealift_packager.sklearn.converters.distances import given_rows
from sealift_packager.sklearn.converters.neighbors import element_type
from sealift_packager.sklearn.converters.places import picked_at, places_among


def write_splines(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter: numbers [batch, columns] in, [batch, splines of all columns] out.

    A value's interval picks a polynomial for each spline. Below the first knot and above the last one there is an interval more, as the extrapolation
    has it.
    """
    model, writer = operator.raw_operator, NodeWriter(scope.get_unique_operator_name("splines"))
    tables = [_polynomials(model, at) for at in range(len(model.bsplines_))]
    rows = given_rows(writer, operator)
    values = _within_period(writer, rows, model) if model.extrapolation == "periodic" else rows
    places = _places(writer, values, tables)
    starts = _stacked([np.concatenate([[table.knots[0]], table.knots[:-1], [table.above]]) for table in tables], 0.0)
    away = writer.add("Sub", values, picked_at(writer, starts, places, "starts"))
    powers = _stacked([table.powers for table in tables], 0.0)
    last = writer.constant("last", np.array([2]))
    exponents = writer.constant("exponents", np.arange(powers.shape[2])[::-1].astype(np.float64))
    each = writer.add("Unsqueeze", writer.add("Pow", writer.add("Unsqueeze", away, last), exponents), writer.constant("end", np.array([3])))
    terms = writer.add("Mul", each, picked_at(writer, powers, places, "powers"))
    splines = writer.add("ReduceSum", terms, last, keepdims=0)
    splines = _for_what_has_none(writer, splines, rows, values, model)
    width, count = int(powers.shape[3]), len(tables)
    flat = writer.add("Reshape", splines, writer.constant("flat", np.array([-1, width * count])))
    kept = [at for at in range(width * count) if model.include_bias or (at + 1) % width]
    chosen = writer.add("Gather", flat, writer.constant("kept", np.array(kept, np.int64)), axis=1)
    writer.add("Cast", chosen, output=operator.outputs[0].full_name, to=element_type(operator))
    writer.put_into(container)


def shape_of_splines(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    model = operator.raw_operator
    width = model.bsplines_[0].c.shape[1] - (not model.include_bias)
    operator.outputs[0].type = numbers_type(operator.inputs, [None, width * len(model.bsplines_)])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Polynomials:
    """Of a column: the knots between intervals, where the polynomials above the last one start, and [intervals + 2, degree + 1, splines].

    The highest power is first.
    """

    knots: Array
    above: float
    powers: Array


def _polynomials(model: Any, at: int) -> _Polynomials:
    spline = model.bsplines_[at]
    knots, (bound, reach) = np.asarray(spline.t, np.float64), _reach(model, at)
    first, last = bound, len(knots) - bound - 1
    slopes = [spline(knots[first:last], nu=order) / math.factorial(order) for order in range(int(spline.k), -1, -1)]
    inside = np.stack(slopes, axis=1)  # the Taylor series at each interval's first knot, which a polynomial is
    if first >= last or not np.isfinite(inside).all():
        raise ConversionError(
            "a column's knots leave no interval between them",
            where=f"SplineTransformer: column {at}",
            found=f"{knots.tolist()!s:.200}",
            advice="Leave columns of one value out, or give more knots.",
        )
    low, high = knots[first], knots[last]
    if model.extrapolation not in ("constant", "linear"):
        return _Polynomials(knots=knots[first : last + 1], above=knots[last - 1], powers=np.concatenate([inside[:1], inside, inside[-1:]]))
    ends = np.arange(inside.shape[2]) < reach
    below, above = (_line(spline, place, end, model.extrapolation) for place, end in ((low, ends), (high, ends[::-1])))
    return _Polynomials(knots=knots[first : last + 1], above=high, powers=np.concatenate([below[None], inside, above[None]]))


def _reach(model: Any, at: int) -> tuple[int, int]:
    """How many knots before the first one that bounds a column, and how many splines go on beyond it.

    scikit-learn raises the degree of lines and steps that go on as lines, and keeps it raised for the columns behind.
    """
    degree = int(model.degree)
    if model.extrapolation != "linear" or degree > 1:
        return degree, degree
    bound = min(degree + at, 2)
    return bound, min(bound + 1, 2)


def _line(spline: Any, place: float, ends: Array, extrapolation: str) -> Array:
    """[degree + 1, splines]: those at the end go on from here with their slope, or as they are; all others are 0."""
    result = np.zeros((int(spline.k) + 1, len(ends)))
    result[-1] = np.where(ends, spline(place), 0)
    if extrapolation == "linear" and spline.k:
        result[-2] = np.where(ends, spline(place, nu=1), 0)
    return result


def _stacked(tables: Sequence[Array], filler: float) -> Array:
    """Tables [rows, …] of several columns as one, with rows of the filler behind the shorter ones."""
    most = max(map(len, tables))
    padding = [[(0, most - len(table)), *[(0, 0)] * (table.ndim - 1)] for table in tables]
    return np.stack([np.pad(table, pad, constant_values=filler) for table, pad in zip(tables, padding, strict=True)])


def _places(writer: NodeWriter, values: str, tables: Sequence[_Polynomials]) -> str:
    """int64 [batch, columns]: 0 below the first knot, then the interval's number; the last knot belongs to the interval before it."""
    passed = places_among(writer, values, _stacked([table.knots[:-1] for table in tables], np.inf), "knots", inclusive=True)
    beyond = writer.add("Greater", values, writer.constant("highest", np.array([table.knots[-1] for table in tables])))
    return writer.add("Add", passed, writer.add("Cast", beyond, to=TensorProto.INT64))


def _within_period(writer: NodeWriter, rows: str, model: Any) -> str:
    """Values moved by whole periods to between the first knot and the last, as numpy's ``%`` does."""
    low = np.array([spline.t[spline.k] for spline in model.bsplines_], np.float64)
    period = writer.constant("period", np.array([spline.t[len(spline.t) - spline.k - 1] for spline in model.bsplines_], np.float64) - low)
    first, zero = writer.constant("lowest", low), writer.constant("zero", np.float64(0))
    rest = writer.add("Mod", writer.add("Sub", rows, first), period, fmod=1)
    above = writer.add("Where", writer.add("Less", rest, zero), writer.add("Add", rest, period), rest)
    return writer.add("Add", above, first)


def _for_what_has_none(writer: NodeWriter, splines: str, rows: str, values: str, model: Any) -> str:
    """Splines [batch, columns, splines], 0 for a missing value, and not a number for one that the source refuses."""
    last, zero = writer.constant("splines", np.array([2])), writer.constant("none", np.float64(0))
    if model.extrapolation == "error":
        first = np.array([spline.t[spline.k] for spline in model.bsplines_], np.float64)
        end = np.array([spline.t[len(spline.t) - spline.k - 1] for spline in model.bsplines_], np.float64)
        below = writer.add("Less", values, writer.constant("least", first))
        outside = writer.add("Or", below, writer.add("Greater", values, writer.constant("most", end)))
        splines = writer.add("Where", writer.add("Unsqueeze", outside, last), writer.constant("nan", np.array(np.nan)), splines)
    if getattr(model, "handle_missing", "error") == "zeros":
        missing = writer.add("Unsqueeze", writer.add("IsNaN", rows), last)
        splines = writer.add("Where", missing, zero, splines)
    return splines
