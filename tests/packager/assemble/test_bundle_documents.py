"""BOM and provenance, read by the libraries of those who define them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf.json_format import Parse, ParseDict
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from sealift_core.bundle import files
from sealift_core.bundle.digest import Digest
from sealift_packager.assemble.licenses import licenses
from sealift_packager.build.pipeline import pack
from sealift_packager.diff import artifact
from support import trained
from support.packing import KEY, request


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed bundle with holdout data and a license."""
    place = tmp_path_factory.mktemp("documents")
    packed = pack(request(trained.cancer(), place / "out", license="Apache-2.0", description="Benign or malignant?"))
    artifact.unpack(packed.directory, "elsewhere", place / "bundle")
    return place / "bundle"


def read(path: Path) -> Any:
    return json.loads(path.read_bytes())


@pytest.mark.parametrize("changes", [{}, {"data": None}, {"license": "Ours, ask us", "seed": 5}])
def test_the_bom_is_valid_cyclonedx(tmp_path: Path, changes: dict[str, Any]) -> None:
    packed = pack(request(trained.cancer(), tmp_path / "out", **changes))
    artifact.unpack(packed.directory, "elsewhere", tmp_path / "bundle")
    errors = JsonStrictValidator(SchemaVersion.V1_6).validate_str((tmp_path / "bundle" / files.SBOM).read_text(), all_errors=True)
    assert list(errors or ()) == []


def test_the_bom_has_the_model_with_its_card_its_data_and_the_tools(bundle: Path) -> None:
    bom = read(bundle / files.SBOM)
    model = bom["metadata"]["component"]
    assert model["type"] == "machine-learning-model"
    assert model["hashes"][0]["content"] == Digest.of_file(bundle / files.GRAPH).hex
    assert model["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"][0]["type"] == "accuracy"
    assert model["modelCard"]["modelParameters"]["datasets"] == [{"ref": "holdout"}]
    assert model["pedigree"]["ancestors"][0]["hashes"][0]["content"] == Digest.of_file(trained.cancer().model).hex
    held = next(entry for entry in bom["components"] if entry["bom-ref"] == "holdout")
    assert held["hashes"][0]["content"] == Digest.of_file(trained.cancer().data).hex
    assert {"onnx", "onnxruntime", "skl2onnx", "scikit-learn"} <= {entry["name"] for entry in bom["metadata"]["tools"]["components"]}
    referred = {ref for entry in bom["dependencies"] for ref in (entry["ref"], *entry.get("dependsOn", ()))}
    assert referred <= {"model", *(entry["bom-ref"] for entry in bom["components"])}


def test_a_license_without_an_identifier_is_named() -> None:
    assert licenses("Ours, ask us") == [{"license": {"name": "Ours, ask us"}}]
    assert licenses("MIT") == [{"license": {"id": "MIT"}}]
    assert licenses("") == []


def test_the_provenance_is_an_in_toto_statement_with_a_slsa_predicate(bundle: Path) -> None:
    proto = Parse((bundle / files.PROVENANCE).read_text(), statement_pb2.Statement())
    Statement.copy_from_pb(proto).validate()
    fields = read(bundle / files.PROVENANCE)
    assert fields["predicateType"] == "https://slsa.dev/provenance/v1"
    predicate = ParseDict(fields["predicate"], provenance_pb2.Provenance())
    materials = {dependency.name: dependency for dependency in predicate.build_definition.resolved_dependencies}
    assert materials["source-model"].digest["sha256"] == Digest.of_file(trained.cancer().model).hex
    assert materials["holdout"].digest["sha256"] == Digest.of_file(trained.cancer().data).hex
    assert materials["onnx"].uri.startswith("pkg:pypi/onnx@")
    assert predicate.run_details.metadata.started_on.ToJsonString() == "2026-01-31T00:00:00Z"


def test_the_provenance_is_of_every_other_file_and_is_signed(bundle: Path) -> None:
    subjects = {entry["name"]: entry["digest"]["sha256"] for entry in read(bundle / files.PROVENANCE)["subject"]}
    listed = files.list_files(bundle)
    assert set(subjects) == set(listed) - {files.PROVENANCE, files.SIGNATURE}
    assert all(Digest.of_file(listed[name]).hex == digest for name, digest in subjects.items())
    (bundle / files.PROVENANCE).write_text("{}")
    with pytest.raises(Exception, match="provenance.json"):
        artifact.verify(bundle, KEY.public_key)
