"""A bundle directory, loaded by onnxruntime as its manifest says, ready to answer."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import onnxruntime
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from sealift_core.bundle import files
from sealift_core.bundle.golden import Array, GoldenCase, decode_golden
from sealift_core.bundle.limits import LIMITS
from sealift_core.bundle.manifest import BundleManifest, SessionSettings
from sealift_core.bundle.shapes import check_tensors
from sealift_core.errors import DocumentError, EngineError, IntegrityError, LimitError
from sealift_core.hardware.limits import usable_cores
from sealift_core.session_entries import ARENA_KEY
from sealift_core.verify.graph import check_bundle_graph
from sealift_runtime.engine import plugin_providers
from sealift_runtime.engine.facts import CPU, onnxruntime_version, providers
from sealift_runtime.engine.fastpath import FastPath
from sealift_runtime.engine.run_limit import WATCH, RunLimit
from sealift_runtime.engine.translate import translating

GRAPH_LEVELS: Final[Mapping[str, Any]] = {
    "disable": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
#: What each provider calls the most bytes of an accelerator's memory that it may take.
_MEMORY_OPTIONS: Final = {"CUDAExecutionProvider": "gpu_mem_limit", "TensorrtExecutionProvider": "trt_max_workspace_size"}
_FATAL: Final = 4
_LOOP: Final = "Loop"


class ModelSession:
    """A loaded model. ``run`` may be called from several threads at once.

    ``manifest`` is the bundle's; ``example`` are the inputs of its smallest golden case. How long a run takes follows from the shapes of its inputs
    unless the graph ``loops``.
    """

    def __init__(
        self, directory: Path, manifest: BundleManifest, session: onnxruntime.InferenceSession, example: Mapping[str, Array], *, loops: bool = False
    ) -> None:
        self.directory = directory
        self.manifest = manifest
        self.example = example
        self._session = session
        self._where = f"{manifest.name} {manifest.version}"
        self._outputs = [spec.name for spec in manifest.outputs]
        fast = FastPath(session, manifest.inputs, manifest.outputs)
        self._fast = fast if fast.usable and not loops and manifest.session.providers[:1] == (CPU,) else None

    @classmethod
    def open(cls, directory: Path) -> ModelSession:
        """Load the bundle in ``directory``, whose integrity the caller has checked.

        1. The installed onnxruntime is one that the bundle was made for, with the providers it names.
        2. Manifest and graph ask for computation and nothing else (`session_entries`, `bundle.graph`).
        3. onnxruntime loads the graph, and external weights from the same directory; it is still the file that was checked.
        4. The graph's inputs and outputs are the manifest's.

        Raises `EngineError`, or `DocumentError` if a document of the bundle can't be read or asks for what it may not.
        """
        manifest = read_manifest(directory)
        path = directory / manifest.model.file
        _check_requirements(manifest, str(path))  # 1
        names, choices = list(manifest.session.providers), provider_options(manifest)
        checked = _state(path)
        with refusing(str(path)):  # 2
            loops = _LOOP in check_bundle_graph(directory)
        session = open_session(path, manifest.session, names, choices, where=str(path))  # 3
        if _state(path) != checked:
            raise EngineError(
                "the graph changed while it was being loaded", where=str(path), advice="Make sure that nothing else writes to the agent's home."
            )
        check_tensors(manifest.inputs, session.get_inputs(), f"{path}: inputs")  # 4
        check_tensors(manifest.outputs, session.get_outputs(), f"{path}: outputs")
        cases = read_golden(directory, manifest)
        return cls(directory, manifest, session, smallest_case(cases), loops=loops)

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str] | None = None, limit: RunLimit | None = None) -> dict[str, Array]:
        """The outputs asked for (all, in the manifest's order, if ``outputs`` is None), by name.

        ``inputs`` has every input of the manifest, with its dtype; text is a numpy array of objects holding ``str``.
        Raises `EngineError`, and `RunEndedError` if the ``limit`` ended it.
        """
        fast = self._fast
        if fast is None or outputs is not None or not fast.usable:
            return self._run(inputs, self._outputs if outputs is None else list(outputs), limit)
        answer = fast.run(inputs)  # as quick as when these shapes came before
        if answer is None:
            answer = self._run(inputs, self._outputs, limit)
            fast.learn(inputs, answer)
        return answer

    def _run(self, inputs: Mapping[str, Array], names: list[str], limit: RunLimit | None) -> dict[str, Array]:
        with translating(self._where, "the model does not run"):
            values = self._session.run(names, inputs) if limit is None else WATCH.run(self._session, names, inputs, limit, self._where)
            return dict(zip(names, values, strict=True))


@contextlib.contextmanager
def refusing(where: str) -> Iterator[None]:
    """A graph that `bundle.graph` refuses in this block doesn't load: `EngineError`."""
    try:
        yield
    except (DocumentError, IntegrityError, LimitError) as error:
        message = f"the model does not load: {error.message}"
        raise EngineError(message, where=where, expected=error.expected, found=error.found, advice=error.advice) from error


def open_session(
    path: Path, settings: SessionSettings, providers: list[str], choices: list[dict[str, str]], *, where: str
) -> onnxruntime.InferenceSession:
    """A session for a graph that was checked. Neither the graph nor the environment adds to the settings. Raises `EngineError`."""
    options = session_options(settings)
    plugins = [name for name in providers if name in plugin_providers.MODULES]
    with translating(where, "the model does not load"):
        if plugins:  # the processor's own provider is added by onnxruntime
            options.add_provider_for_devices(list(plugin_providers.devices(plugins[0])), {})
            return onnxruntime.InferenceSession(str(path), options, enable_fallback=0, read_config_from_model=0)
        return onnxruntime.InferenceSession(
            str(path), options, providers=providers, provider_options=choices, enable_fallback=0, read_config_from_model=0
        )


def read_manifest(directory: Path) -> BundleManifest:
    """A bundle directory's manifest; `EngineError` if the file can't be read."""
    path = directory / files.MANIFEST
    return BundleManifest.parse(_read(path, LIMITS.manifest_bytes), where=str(path))


def read_golden(directory: Path, manifest: BundleManifest) -> list[GoldenCase]:
    """A bundle directory's golden cases."""
    path = directory / files.GOLDEN
    data = _read(path, LIMITS.golden_bytes)
    return decode_golden(data, manifest.inputs, manifest.outputs, manifest.golden.cases, where=str(path))


def smallest_case(cases: Sequence[GoldenCase]) -> Mapping[str, Array]:
    """The inputs of the golden case with the fewest elements."""
    return min((case.inputs for case in cases), key=_elements)


def session_options(settings: SessionSettings) -> onnxruntime.SessionOptions:
    """Onnxruntime's options for a manifest's settings; `DocumentError` for settings that `session_entries` doesn't allow.

    Threads are always set: left alone, onnxruntime counts the machine's cores and ignores a container's limits. There are never more than cores.
    """
    settings.check(where="session")
    cores = usable_cores()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(settings.intra_op_threads, cores)
    options.inter_op_num_threads = min(settings.inter_op_threads, cores)
    parallel = settings.inter_op_threads > 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_PARALLEL if parallel else onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = GRAPH_LEVELS[settings.graph_optimization]
    options.log_severity_level = _FATAL  # every failure is raised too, with the same words
    for key, value in settings.config.items():
        if key == ARENA_KEY:
            options.enable_cpu_mem_arena = value != "0"
        else:
            options.add_session_config_entry(key, value)
    return options


def provider_options(manifest: BundleManifest) -> list[dict[str, str]]:
    """For each provider of a bundle its options: the profile's limit of the accelerator's memory, where the provider knows one."""
    accelerator = manifest.profile.accelerator
    limit = accelerator.memory_limit_mb if accelerator else None
    names = manifest.session.providers
    return [{_MEMORY_OPTIONS[name]: str(limit * 2**20)} if limit and name in _MEMORY_OPTIONS else {} for name in names]


def _state(path: Path) -> tuple[int, ...]:
    """What tells whether a file was changed or replaced."""
    try:
        status = path.lstat()
    except OSError as error:
        raise EngineError(f"the file can't be read ({error.strerror})", where=str(path)) from error
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size  # `read` sets aside what it is asked for
            return file.read(min(size, max_bytes) + 1)
    except OSError as error:
        raise EngineError(f"the file can't be read ({error.strerror})", where=str(path)) from error


def _elements(inputs: Mapping[str, Array]) -> int:
    return sum(value.size for value in inputs.values())


def _check_requirements(manifest: BundleManifest, where: str) -> None:
    version = onnxruntime_version()
    try:
        versions = SpecifierSet(manifest.requires.onnxruntime)
    except InvalidSpecifier as error:
        raise EngineError(
            "the bundle's range of onnxruntime versions is malformed", where=where, found=repr(manifest.requires.onnxruntime)
        ) from error
    if not versions.contains(version, prereleases=True):
        advice = "Install a version in that range, or pack the model for the installed version."
        raise EngineError("the bundle needs another version of onnxruntime", where=where, expected=str(versions), found=version, advice=advice)
    available = providers()
    for name in manifest.session.providers:
        if name not in available:
            advice = _how_to_get(name)
            raise EngineError("an execution provider is missing", where=where, expected=name, found=", ".join(available), advice=advice)


def _how_to_get(provider: str) -> str:
    """What to do on a machine that lacks an execution provider."""
    module = plugin_providers.MODULES.get(provider)
    if module is None:
        return "Install the onnxruntime package that includes it."
    if provider in plugin_providers.installed():
        return f"{module} is installed, but finds no device on this machine. Use a bundle of another profile."
    return f"Install {module.replace('_', '-')} in addition to onnxruntime."
