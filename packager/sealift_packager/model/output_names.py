"""What a table model's outputs are called: by what they are, and where a column has that name, with `SUFFIX` behind it. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sealift_packager.model.source import Arrays, SourceModel

LABEL: Final = "label"
PROBABILITIES: Final = "probabilities"
PREDICTION: Final = "prediction"
DISTANCES: Final = "distances"
#: No exporter writes it: an output so called is ours.
SUFFIX: Final = "_of_model"


def role_of(name: str) -> str:
    """What an output is, whatever name it was given for a column's sake."""
    while name.endswith(SUFFIX):
        name = name.removesuffix(SUFFIX)
    return name


def by_role(outputs: Collection[str]) -> Mapping[str, str]:
    """From what outputs are to their names."""
    return {role_of(name): name for name in outputs} | {name: name for name in outputs}


def roles_of(answers: Arrays) -> Arrays:
    """Answers by what they are."""
    return {role_of(name): value for name, value in answers.items()}


def with_free_names(source: SourceModel) -> SourceModel:
    """The model with other names for the outputs that have a column's; the same object where none has."""
    outputs = _free_names(source.outputs, {spec.name for spec in source.inputs})
    if outputs == source.outputs:
        return source
    names, ask = dict(zip(source.outputs, outputs, strict=True)), source.predict
    return dataclasses.replace(source, outputs=outputs, predict=lambda arrays: {names[name]: value for name, value in ask(arrays).items()})


def _free_names(outputs: Sequence[str], columns: Collection[str]) -> tuple[str, ...]:
    names = []
    for output in outputs:
        name = output
        while name in columns:
            name += SUFFIX
        names.append(name)
    return tuple(names)
