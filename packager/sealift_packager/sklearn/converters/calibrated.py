"""scikit-learn's CalibratedClassifierCV with a sigmoid, isotonic steps or a temperature.

skl2onnx takes the nearest of an isotonic regression's points where scikit-learn draws a line between two, knows no temperature, and gives
a classifier the first column alone where each column is an input.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.members import ask_classifier, name_class
from sealift_packager.sklearn.converters.shares import logistic, of_their_sum

#: Of probabilities, so much is added before their logarithm (scikit-learn's ``_convert_to_logits``).
_EPSILON = 1e-12


def write_calibrated(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter: a table's columns in, label [batch] and probabilities [batch, classes] out."""
    model = operator.raw_operator
    writer = NodeWriter(scope.get_unique_operator_name("calibrated"))
    count = len(model.classes_)
    parts = [_Part(writer, f"part{at}", part, count) for at, part in enumerate(model.calibrated_classifiers_)]
    shares = [part.probabilities(scope, container, operator.inputs) for part in parts]
    total = writer.add("Sum", *shares) if len(shares) > 1 else shares[0]
    mean = writer.add("Div", total, writer.constant("parts", np.float64(len(shares))))
    name_class(writer, operator, writer.add("ArgMax", mean, axis=1, keepdims=0))
    writer.add("Cast", mean, output=operator.outputs[1].full_name, to=operator.outputs[1].type.to_onnx_type().tensor_type.elem_type)
    writer.put_into(container)


class _Part:
    """One of the classifiers that are averaged, with its calibrators: float64 [batch, classes]."""

    def __init__(self, writer: NodeWriter, prefix: str, model: Any, classes: int) -> None:
        self._writer = writer
        self._prefix = prefix
        self._model = model
        self._classes = classes

    def probabilities(self, scope: Any, container: Any, inputs: Any) -> str:
        scored = hasattr(self._model.estimator, "decision_function")
        values = ask_classifier(scope, container, self._model.estimator, inputs, scores=scored)[1]
        wide = self._writer.add("Cast", values, to=TensorProto.DOUBLE)
        return self._softened(wide, scored=scored) if self._model.method == "temperature" else self._each(wide)

    def _softened(self, values: str, *, scored: bool) -> str:
        logits = values if scored else self._writer.add("Log", self._writer.add("Add", values, self._constant("epsilon", np.float64(_EPSILON))))
        beta = self._constant("beta", np.float64(self._model.calibrators[0].beta_))
        return self._writer.add("Softmax", self._writer.add("Mul", logits, beta), axis=1)

    def _each(self, values: str) -> str:
        write = self._writer
        if self._classes == 2:
            second = self._calibrated(self._column(values, 1), 0)
            return write.add("Concat", write.add("Sub", self._constant("one", np.float64(1)), second), second, axis=1)
        zero = self._constant("zero", np.float64(0))
        columns = [write.add("Mul", self._column(values, 0), zero)] * self._classes  # of a class that this part's estimator never saw
        for at, number in enumerate(np.searchsorted(self._model.classes, self._model.estimator.classes_).tolist()):
            columns[number] = self._calibrated(self._column(values, at), at)
        stacked = write.add("Concat", *columns, axis=1)
        return of_their_sum(write, stacked, of_none=1 / self._classes)

    def _calibrated(self, column: str, at: int) -> str:
        """A class's calibrated score [batch, 1]; of two classes the second one's."""
        if self._model.method == "isotonic":
            return self._line(column, at)
        write, calibrator = self._writer, self._model.calibrators[at]
        slope, offset = (self._constant(f"{name}{at}", np.float64(-value)) for name, value in (("a", calibrator.a_), ("b", calibrator.b_)))
        return logistic(write, write.add("Add", write.add("Mul", column, slope), offset))

    def _line(self, column: str, at: int) -> str:
        """The line between the two points [batch, 1] that a value [batch, 1] lies between; the first and the last point's height outside."""
        write, calibrator = self._writer, self._model.calibrators[at]
        points, heights = (np.asarray(values, np.float64) for values in (calibrator.X_thresholds_, calibrator.y_thresholds_))
        if len(points) == 1:
            points, heights = np.array([points[0], points[0] + 1]), np.repeat(heights, 2)
        value = write.add("Min", write.add("Max", column, self._constant(f"low{at}", points[0])), self._constant(f"high{at}", points[-1]))
        passed = write.add("GreaterOrEqual", value, self._constant(f"inner{at}", points[1:-1]))
        count = write.add("Cast", passed, to=TensorProto.INT64)
        place = write.add("ReduceSum", count, self._constant(f"points{at}", np.array([1])), keepdims=1)
        parts = {"x": points, "y": heights, "slope": np.diff(heights) / np.diff(points)}
        x, y, slope = (write.add("Gather", self._constant(f"{name}{at}", values), place) for name, values in parts.items())
        return write.add("Add", write.add("Mul", write.add("Sub", value, x), slope), y)

    def _column(self, values: str, number: int) -> str:
        return self._writer.add("Gather", values, self._constant(f"column{len(self._writer.initializers)}", np.array([number])), axis=1)

    def _constant(self, name: str, value: Any) -> str:
        return self._writer.constant(f"{self._prefix}_{name}", value)
