"""Answers as another processor gives them, by qemu-user: what int8 loses there is computed, where that processor isn't at hand.

x86-64 without VNNI, whose int8 products saturate, is emulated with this machine's own Python. Arm needs an Arm Python: a folder that
``SEALIFT_ARM64_ROOT`` names, which ``packager/arm64-root.sh`` makes.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sealift_core.bundle import files
from sealift_core.bundle.digest import Digest
from sealift_core.hardware.profile import CpuRequirement
from sealift_core.onnxruntime_environment import SET
from sealift_core.process.child import clean_environment
from sealift_packager.errors import ConversionError
from sealift_packager.measure.arrays import write_npz
from sealift_packager.model.source import Arrays
from sealift_packager.sandbox.outside import outside

if TYPE_CHECKING:
    import onnx

ROOT_VARIABLE: Final = "SEALIFT_ARM64_ROOT"
TIMEOUT_S: Final = 300
_SIDE: Final = Path(__file__).with_name("emulated.py")
_INPUTS, _OUTPUTS = "in.npz", "out.npz"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """A processor that qemu-user emulates: it has ``flag`` of what the others of its architecture may have, or none of that (an empty one)."""

    arch: str
    flag: str
    cpu: str

    @property
    def qemu(self) -> str:
        """The emulator's name."""
        return f"qemu-{self.arch}"

    def __str__(self) -> str:
        return f"{self.qemu} -cpu {self.cpu}"


#: For each way to compute int8 the least processor that does it so; of one architecture, those that can more come first.
#: Haswell: AVX2 without AVX-512, so VPMADDUBSW. Arm: SMMLA, SDOT, and SMULL with SMLAL.
PROCESSORS: Final = (
    Processor(arch="x86_64", flag="", cpu="Haswell"),
    Processor(arch="aarch64", flag="i8mm", cpu="max,sve=off"),
    Processor(arch="aarch64", flag="asimddp", cpu="cortex-a76"),
    Processor(arch="aarch64", flag="", cpu="cortex-a72"),
)


def processor_for(cpu: CpuRequirement) -> Processor:
    """The processor that stands for a profile's. Pure."""
    matches = (processor for processor in PROCESSORS if processor.arch == cpu.arch)
    return next(processor for processor in matches if not processor.flag or processor.flag in cpu.required_flags)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """An emulated processor that can be started on this machine, with a Python that runs on it."""

    processor: Processor
    command: tuple[str, ...]
    environment: Mapping[str, str]
    onnxruntime: str

    def __str__(self) -> str:
        """What computed: the processor, and onnxruntime where it is another than here."""
        installed = importlib.metadata.version("onnxruntime")
        return str(self.processor) if self.onnxruntime == installed else f"{self.processor} with onnxruntime {self.onnxruntime}"


def find_emulator(processor: Processor, environment: Mapping[str, str] = os.environ) -> Emulator | None:
    """How to run a processor's programs here, or None if something for that isn't installed (`missing` says what)."""
    outer = outside()
    if outer is not None:
        return outer.find_emulator(processor)
    qemu = shutil.which(processor.qemu) or shutil.which(f"{processor.qemu}-static")
    if qemu is None:
        return None
    if processor.arch == os.uname().machine:
        paths = os.pathsep.join(path for path in sys.path if path)
        return Emulator(
            processor=processor,
            command=(qemu, "-cpu", processor.cpu, str(Path(sys.executable).resolve()), "-P"),
            environment={**clean_environment(environment), "PYTHONPATH": paths},
            onnxruntime=importlib.metadata.version("onnxruntime"),
        )
    root = Path(environment.get(ROOT_VARIABLE, ""))
    version = _version_in(root) if processor.arch == "aarch64" and environment.get(ROOT_VARIABLE) else None
    if version is None:
        return None
    python = str(root.absolute() / "usr" / "bin" / "python3")
    command = (qemu, "-L", str(root.absolute()), "-cpu", processor.cpu, python, "-I", "-B")
    return Emulator(processor=processor, command=command, environment={**SET, "PATH": environment.get("PATH", "")}, onnxruntime=version)


def emulator_digest(emulator: Emulator) -> str:
    """Of the emulator's own program."""
    outer = outside()
    return outer.emulator_digest(emulator.processor) if outer is not None else str(Digest.of_file(Path(emulator.command[0])))


def missing(processor: Processor) -> str:
    """What a machine lacks that has no emulator."""
    if processor.arch == os.uname().machine:
        return f"{processor.qemu} is not installed"
    return f"{processor.qemu} or a {ROOT_VARIABLE} is missing" if processor.arch == "aarch64" else f"there is no {processor.qemu} for this machine"


def _version_in(root: Path) -> str | None:
    """The version of onnxruntime in a folder that holds another system; None if it isn't there."""
    distribution = next(root.glob("usr/*/lib/python3*/*-packages/onnxruntime-*.dist-info"), None)
    return distribution.name.removesuffix(".dist-info").split("-", 1)[1] if distribution else None


def run_emulated(emulator: Emulator, model: onnx.ModelProto, inputs: Arrays, entries: Mapping[str, str], scratch: Path) -> dict[str, Any] | None:
    """All outputs for these rows, as the emulated processor computes them; None if that takes more than `TIMEOUT_S`.

    Raises `ConversionError` if the emulation fails.
    """
    from sealift_packager.graph.weights import write_model

    with tempfile.TemporaryDirectory(dir=scratch, prefix="emulated.") as name:
        folder = Path(name)
        write_model(model, folder)
        write_npz(folder / _INPUTS, inputs)
        outer = outside()
        done = outer.emulate(emulator.processor, folder, entries) if outer is not None else compute(emulator, folder, entries)
        return _read(folder / _OUTPUTS) if done else None


def compute(emulator: Emulator, folder: Path, entries: Mapping[str, str]) -> bool:
    """Have the processor compute what `run_emulated` put into a folder; False if that takes more than `TIMEOUT_S`. `ConversionError`."""
    from sealift_packager.measure.emulated import TOO_SLOW

    files_of = [str(folder / name) for name in (files.GRAPH, _INPUTS, _OUTPUTS)]
    command = [*emulator.command, str(_SIDE), *files_of, str(TIMEOUT_S), *(f"{key}={value}" for key, value in entries.items())]
    environment = {**emulator.environment, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return False
    if done.returncode and done.returncode != TOO_SLOW:
        lines = done.stderr.decode(errors="replace").splitlines() or [f"exit status {done.returncode}"]
        raise ConversionError(f"the emulation of the processor failed (caused by: {lines[-1]})", where=str(emulator))
    return done.returncode == 0


def _read(path: Path) -> dict[str, Any]:
    from sealift_packager.measure.emulated import PREFIX

    with np.load(path) as archive:
        values = {name.removeprefix(PREFIX): archive[name] for name in archive.files}
    return {name: value.astype(object) if value.dtype.kind == "U" else value for name, value in values.items()}
