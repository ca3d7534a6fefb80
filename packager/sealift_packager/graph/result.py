"""What a conversion gives."""

from __future__ import annotations

import dataclasses

import onnx

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.graph import graph
from sealift_packager.model.accepted import ANYTHING, Accepted
from sealift_packager.model.output_names import LABEL, role_of
from sealift_packager.model.source import SourceModel


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A tidy fp32 graph (see `tensors` for its weights) and what it takes and gives; ``accepted`` is the source's."""

    model: onnx.ModelProto
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    accepted: Accepted = ANYTHING

    @property
    def opset(self) -> int:
        """The default operator set's version."""
        return graph.opset_of(self.model)


def described(model: onnx.ModelProto, source: SourceModel) -> Converted:
    """A graph with its specs; inputs mean what the source says, and outputs of a classifier have its classes."""
    described = {spec.name: spec for spec in source.inputs}
    inputs = tuple(described.get(spec.name, spec) for spec in graph.input_specs(model))
    outputs = tuple(_with_classes(spec, source) for spec in graph.output_specs(model))
    return Converted(model=model, inputs=inputs, outputs=outputs, accepted=source.accepted)


def _with_classes(spec: TensorSpec, source: SourceModel) -> TensorSpec:
    """A label's classes, and those of an output that has a number for each."""
    if source.classes is None or not (role_of(spec.name) == LABEL or spec.shape[1:] == (len(source.classes),)):
        return spec
    return dataclasses.replace(spec, classes=tuple(source.classes.tolist()))
