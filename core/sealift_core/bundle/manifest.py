"""bundle.json: what a bundle is.

Unknown fields of the same major schema are ignored, but those of ``session`` are refused; another major schema is refused with what to do. The
file itself is signed and addressed by digest, so nothing rewrites it.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sealift_core.bundle.evaluation import Evaluation
from sealift_core.bundle.limits import LIMITS
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.clock import format_time
from sealift_core.errors import DocumentError
from sealift_core.hardware.profile import MAX_RANGE_CHARACTERS, HardwareProfile
from sealift_core.schema.documents import Document, Json, canonical_json
from sealift_core.session_entries import GRAPH_LEVELS, MAX_THREADS, check_entries, check_providers, check_threads, parse_entries

SCHEMA: Final = "sealift.bundle"
MAJOR: Final = 1
#: Model names are path segments, URL segments and TUF target names: no separators, no dots at the front.
MODEL_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
#: https://semver.org, without build metadata (a "+" is not welcome in OCI tags).
VERSION: Final = r"(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,9})(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
#: A version is part of file names, URLs and TUF targets.
MAX_VERSION_CHARACTERS: Final = 128


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """The graph file, and how it came to be.

    Attributes:
        file: Its name, ``model.onnx``.
        opset: The version of ONNX's own operators.
        precision: One of `sealift_core.hardware.profile.PRECISIONS`.
        recipe: The settings of the transformation, as the packager wrote them.
        source_framework: What the model was trained with.
    """

    file: str
    opset: int
    precision: str
    recipe: Mapping[str, Any]
    source_framework: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """How onnxruntime is to run the graph; `check` says whether it may be run so.

    Attributes:
        providers: Execution providers, the preferred one first.
        intra_op_threads: Threads within an operator.
        inter_op_threads: Operators at a time.
        graph_optimization: One of `sealift_core.session_entries.GRAPH_LEVELS`.
        config: Session entries, of `sealift_core.session_entries.ENTRIES`.
    """

    providers: tuple[str, ...]
    intra_op_threads: int
    inter_op_threads: int
    graph_optimization: str
    config: Mapping[str, str]

    def check(self, *, where: str) -> None:
        """Check the settings against what `session_entries` allows.

        Args:
            where: What errors call the settings.

        Raises:
            DocumentError: If a provider, an entry, a value or a number of threads isn't allowed.
        """
        check_providers(self.providers, where=f"{where}.providers")
        check_entries(self.config, where=f"{where}.config")
        check_threads(self.intra_op_threads, where=f"{where}.intra_op_threads")
        check_threads(self.inter_op_threads, where=f"{where}.inter_op_threads")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What a device must have.

    Attributes:
        onnxruntime: A range of versions (PEP 440).
        cpu_flags: Flags of the processor, as Linux names them.
        memory_bytes: Memory that a process may use.
        disk_bytes: Room on the disk.
    """

    onnxruntime: str
    cpu_flags: tuple[str, ...]
    memory_bytes: int
    disk_bytes: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GoldenInfo:
    """How many golden cases there are and how near a device's outputs must come: |a−b| ≤ atol + rtol·|b|.

    Attributes:
        cases: The number of cases, 1 to 10,000.
        rtol: The relative tolerance.
        atol: The absolute tolerance of an output that has none of its own, in the output's unit.
        output_atol: The absolute tolerances by output, each in its output's unit. Bundles of earlier versions have none.
    """

    cases: int
    rtol: float
    atol: float
    output_atol: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def atol_of(self, output: str) -> float:
        """Say how near the values of one output must come.

        Args:
            output: The output's name.

        Returns:
            Its absolute tolerance, in its unit.
        """
        return self.output_atol.get(output, self.atol)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Who owns the next step: names, teams or addresses, free text.

    Attributes:
        model: Who trains it.
        deployment: Who ships it.
        site: Who runs it.
    """

    model: str = ""
    deployment: str = ""
    site: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where the model comes from.

    Attributes:
        source_digest: The digest of the model as it was given to the packager.
        training_run: The run that trained it, free text.
        data: The data that it was trained on, free text.
        parent: The version that it came from, free text.
        annotations: Whatever else was given, as it was parsed.
    """

    source_digest: str
    training_run: str = ""
    data: str = ""
    parent: str = ""
    annotations: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleManifest:
    """``bundle.json`` as a value.

    Attributes:
        name: The model's name, matching `MODEL_NAME`.
        version: Its semantic version, matching `VERSION`.
        created: When it was packaged, in UTC.
        description: For people.
        license: For people, or an SPDX expression.
        profile: The class of hardware that it was made for.
        model: The graph file.
        inputs: The model's inputs, in the graph's order.
        outputs: Its outputs, in the graph's order.
        session: How onnxruntime is to run the graph.
        requires: What a device must have.
        golden: The cases of the self-test.
        evaluation: What was measured when it was packaged.
        owners: Who owns the next step.
        lineage: Where the model comes from.
    """

    name: str
    version: str
    created: datetime.datetime
    description: str
    license: str
    profile: HardwareProfile
    model: ModelInfo
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    session: SessionSettings
    requires: Requirements
    golden: GoldenInfo
    evaluation: Evaluation
    owners: Owners
    lineage: Lineage

    @classmethod
    def parse(cls, data: bytes, *, where: str = "bundle.json") -> BundleManifest:
        """Read ``bundle.json``.

        Args:
            data: The file's bytes.
            where: What errors call the file; they add the path of the field.

        Returns:
            The manifest. Fields that this version doesn't know are dropped, but for those of ``session``, which are refused.

        Raises:
            DocumentError: If a field is missing, of another type, or out of range.
            UnsupportedSchemaError: If it is of another major version.
            LimitError: If the file, a text or a list is larger than its bound.
        """
        document = Document.parse_json(data, where=where, max_bytes=LIMITS.manifest_bytes)
        document.schema(SCHEMA, MAJOR)
        inputs, outputs = _tensors(document, "inputs"), _tensors(document, "outputs")
        return cls(
            name=document.text("name", pattern=MODEL_NAME),
            version=document.text("version", pattern=VERSION, max_characters=MAX_VERSION_CHARACTERS),
            created=document.time("created"),
            description=document.text("description", ""),
            license=document.text("license", ""),
            profile=HardwareProfile.parse(document.document("profile")),
            model=_model(document.document("model")),
            inputs=inputs,
            outputs=outputs,
            session=_session(document.document("session")),
            requires=_requirements(document.document("requires")),
            golden=_golden(document.document("golden"), [output.name for output in outputs]),
            evaluation=Evaluation.parse(document.document("evaluation")),
            owners=_owners(document.document("owners", {})),
            lineage=_lineage(document.document("lineage")),
        )

    def to_bytes(self) -> bytes:
        """Write ``bundle.json``; `parse` gives an equal manifest back."""
        fields: dict[str, Json] = {
            "schema": f"{SCHEMA}/{MAJOR}",
            "name": self.name,
            "version": self.version,
            "created": format_time(self.created),
            "description": self.description,
            "license": self.license,
            "profile": self.profile.json(),
            "model": dataclasses.asdict(self.model),
            "inputs": [tensor.json() for tensor in self.inputs],
            "outputs": [tensor.json() for tensor in self.outputs],
            "session": dataclasses.asdict(self.session),
            "requires": dataclasses.asdict(self.requires),
            "golden": dataclasses.asdict(self.golden),
            "evaluation": self.evaluation.json(),
            "owners": dataclasses.asdict(self.owners),
            "lineage": dataclasses.asdict(self.lineage),
        }
        return canonical_json(fields)


def _tensors(document: Document, key: str) -> tuple[TensorSpec, ...]:
    tensors = tuple(TensorSpec.parse(entry) for entry in document.documents(key, max_items=LIMITS.tensors))
    names = [tensor.name for tensor in tensors]
    if not names or len(set(names)) != len(names):
        raise DocumentError("there must be tensors, each with a name of its own", where=f"{document.where}: {key}", found=repr(names[:10]))
    return tensors


def _model(document: Document) -> ModelInfo:
    return ModelInfo(
        file=document.text("file", one_of=("model.onnx",)),
        opset=document.integer("opset", minimum=1),
        precision=document.text("precision"),
        recipe=document.document("recipe", {}).raw(),
        source_framework=document.text("source_framework"),
    )


def _session(document: Document) -> SessionSettings:
    settings = SessionSettings(
        providers=document.texts("providers"),
        intra_op_threads=document.integer("intra_op_threads", minimum=1, maximum=MAX_THREADS),
        inter_op_threads=document.integer("inter_op_threads", 1, minimum=1, maximum=MAX_THREADS),
        graph_optimization=document.text("graph_optimization", one_of=GRAPH_LEVELS),
        config=parse_entries(document.document("config", {})),
    )
    settings.check(where=document.where)
    document.refuse_unknown()  # a setting that this version doesn't know is none that it can vouch for
    return settings


def _requirements(document: Document) -> Requirements:
    return Requirements(
        onnxruntime=document.text("onnxruntime", max_characters=MAX_RANGE_CHARACTERS),
        cpu_flags=document.texts("cpu_flags", ()),
        memory_bytes=document.integer("memory_bytes", 0, minimum=0),
        disk_bytes=document.integer("disk_bytes", 0, minimum=0),
    )


def _golden(document: Document, outputs: Sequence[str]) -> GoldenInfo:
    by_output = document.document("output_atol", {})
    tolerances = {name: by_output.number(name, minimum=0) for name in outputs if by_output.has(name)}
    by_output.refuse_unknown()  # a tolerance of no output is a tolerance that an output lacks
    return GoldenInfo(
        cases=document.integer("cases", minimum=1, maximum=10_000),
        rtol=document.number("rtol", minimum=0),
        atol=document.number("atol", minimum=0),
        output_atol=tolerances,
    )


def _owners(document: Document) -> Owners:
    return Owners(model=document.text("model", ""), deployment=document.text("deployment", ""), site=document.text("site", ""))


def _lineage(document: Document) -> Lineage:
    return Lineage(
        source_digest=document.text("source_digest"),
        training_run=document.text("training_run", ""),
        data=document.text("data", ""),
        parent=document.text("parent", ""),
        annotations=document.document("annotations", {}).raw(),
    )
