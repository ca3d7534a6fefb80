"""What each wheel brings to a machine: itself and all that it needs, read from what is installed."""

from __future__ import annotations

import importlib.metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SERVING = {"uvloop", "httptools", "tuf", "onnxruntime"}
PACKAGING = {"msgspec", "onnx", "torch", "scikit-learn", "skl2onnx", "pandas", "rich"}
FLEET = {"fastapi", "sqlalchemy", "alembic", "uvicorn"}


def applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def brought(wheel: str) -> set[str]:
    """The distributions that installing a wheel without extras brings, itself among them."""
    names: set[str] = set()
    pending = [(wheel, frozenset[str]())]
    while pending:
        name, extras = pending.pop()
        if name in names:
            continue
        names.add(name)
        needed = map(Requirement, importlib.metadata.requires(name) or [])
        pending += [(canonicalize_name(requirement.name), frozenset(requirement.extras)) for requirement in needed if applies(requirement, extras)]
    return names


@pytest.mark.parametrize(
    ("wheel", "others"),
    [
        ("sealift-core", {"sealift-runtime", "sealift-packager", "sealift-hub"} | SERVING | PACKAGING | FLEET),
        ("sealift-hub", {"sealift-runtime", "sealift-packager"} | SERVING | PACKAGING),
        ("sealift-runtime", {"sealift-hub", "sealift-packager"} | PACKAGING | FLEET | {"onnxruntime"}),
        ("sealift-packager", {"sealift-hub", "sealift-runtime"} | FLEET | {"uvloop", "httptools"}),
    ],
)
def test_a_wheel_brings_nothing_of_the_others(wheel: str, others: set[str]) -> None:
    assert brought(wheel) & others - {wheel} - (PACKAGING if wheel == "sealift-packager" else set()) == set()
