"""A class of hardware: what it needs to be, how int8 is sound on it, what is worth trying, what matters.

People write profiles as TOML; a bundle carries its own, resolved, as JSON, so a device never reads a profile file.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from sealift_core.schema.documents import Document, Json
from sealift_core.session_entries import ACCELERATOR_PROVIDERS, PROVIDERS, check_threads

ARCHITECTURES: Final = ("x86_64", "aarch64")
PRECISIONS: Final = ("fp32", "int8-dynamic", "int8-static", "int8-weights", "int8-blocks", "int4-blocks", "fp16-weights", "fp16")
OBJECTIVES: Final = ("latency_p50", "latency_p99", "memory", "size", "load_time", "accuracy")
#: What an accelerator is, as `sealift_core.hardware.accelerators` finds it.
ACCELERATORS: Final = ("nvidia-gpu", "nvidia-jetson", "intel-gpu")
PROFILE_NAME: Final = r"[a-z0-9][a-z0-9-]{0,63}"
#: Of a range of versions (PEP 440).
MAX_RANGE_CHARACTERS: Final = 200
MAX_PROFILE_BYTES: Final = 64 * 1024
#: 16 TiB: more than any accelerator has.
MAX_MEMORY_LIMIT_MB: Final = 2**24


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CpuRequirement:
    """What the processor must be.

    Attributes:
        arch: One of `ARCHITECTURES`.
        required_flags: Flags that must be there, as Linux names them.
        absent_flags: Flags that must not be there.
        minimum_cores: The fewest cores that a process may use.
    """

    arch: str
    required_flags: tuple[str, ...] = ()
    absent_flags: tuple[str, ...] = ()
    minimum_cores: int = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Int8Recipe:
    """What int8 arithmetic is sound on the hardware.

    Attributes:
        activation: ``uint8`` or ``int8``.
        weight: ``uint8`` or ``int8``.
        reduce_range: Whether weights keep to 7 bits: without VNNI, x86 sums pairs of u8×s8 products in saturating 16 bits.
        per_channel: Whether each output channel has a scale of its own.
    """

    activation: str
    weight: str
    reduce_range: bool
    per_channel: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorRequirement:
    """What computes beside the processor, or instead of its plain kernels.

    Attributes:
        provider: The execution provider that the device's onnxruntime must have, of `ACCELERATOR_PROVIDERS`.
        device: What must be built in, of `ACCELERATORS`; None where the provider runs on the processor itself (OpenVINO).
        memory_limit_mb: The most that a model may take of the accelerator's memory, in MiB; None without a limit.
    """

    provider: str
    device: str | None = None
    memory_limit_mb: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HardwareProfile:
    """One class of hardware; ``docs/hardware-profiles.md`` has the ones that ship.

    Attributes:
        name: Matching `PROFILE_NAME`.
        summary: For people.
        cpu: What the processor must be.
        minimum_memory_mb: The least memory that a process may use, in MiB.
        onnxruntime: A range of versions (PEP 440).
        providers: Execution providers of the session, the preferred one first.
        int8: What int8 arithmetic is sound.
        precisions: What is worth trying, of `PRECISIONS`.
        threads: Numbers of threads that are worth trying.
        objective: What matters, of `OBJECTIVES`, most first.
        accelerator: What must compute beside the processor; None for the processor alone.
    """

    name: str
    summary: str
    cpu: CpuRequirement
    minimum_memory_mb: int
    onnxruntime: str
    providers: tuple[str, ...]
    int8: Int8Recipe
    precisions: tuple[str, ...]
    threads: tuple[int, ...]
    objective: tuple[str, ...]
    accelerator: AcceleratorRequirement | None = None

    @classmethod
    def parse_toml(cls, data: bytes, *, where: str) -> HardwareProfile:
        """Read a profile that a person wrote.

        Args:
            data: The file's bytes.
            where: What errors call the file; they add the path of the field.

        Returns:
            The profile.

        Raises:
            DocumentError: If it isn't TOML, or a field is unknown, missing, of another type, or out of range.
            LimitError: If it is larger than its bound.
        """
        return cls.parse(Document.parse_toml(data, where=where, max_bytes=MAX_PROFILE_BYTES), strict=True)

    @classmethod
    def parse(cls, document: Document, *, strict: bool = False) -> HardwareProfile:
        """Read a profile, from TOML or from a manifest.

        Args:
            document: The profile's table.
            strict: Whether unknown fields are refused, with the nearest spelling.

        Returns:
            The profile.

        Raises:
            DocumentError: If a field is missing, of another type, or out of range, or unknown when ``strict``.
            LimitError: If a list or a text is too long.
        """
        cpu, memory = document.document("cpu"), document.document("memory", {})
        runtime, int8, search = document.document("runtime"), document.document("int8"), document.document("search")
        accelerator = document.document("accelerator") if document.has("accelerator") else None
        profile = cls(
            name=document.text("name", pattern=PROFILE_NAME),
            summary=document.text("summary"),
            cpu=CpuRequirement(
                arch=cpu.text("arch", one_of=ARCHITECTURES),
                required_flags=cpu.texts("required_flags", ()),
                absent_flags=cpu.texts("absent_flags", ()),
                minimum_cores=cpu.integer("minimum_cores", 1, minimum=1),
            ),
            minimum_memory_mb=memory.integer("minimum_mb", 0, minimum=0),
            onnxruntime=runtime.text("onnxruntime", max_characters=MAX_RANGE_CHARACTERS),
            providers=runtime.texts("providers", one_of=PROVIDERS),
            int8=Int8Recipe(
                activation=int8.text("activation", one_of=("uint8", "int8")),
                weight=int8.text("weight", one_of=("int8", "uint8")),
                reduce_range=int8.boolean("reduce_range"),
                per_channel=int8.boolean("per_channel"),
            ),
            precisions=search.texts("precisions", one_of=PRECISIONS),
            threads=search.integers("threads", minimum=1),
            objective=search.texts("objective", one_of=OBJECTIVES),
            accelerator=_accelerator(accelerator) if accelerator else None,
        )
        for threads in profile.threads:
            check_threads(threads, where=f"{search.where}.threads")
        if strict:
            for table in (cpu, memory, runtime, int8, search, *((accelerator,) if accelerator else ()), document):
                table.refuse_unknown()
        return profile

    def json(self) -> dict[str, Json]:
        """Write the profile as a manifest does."""
        accelerator = {"accelerator": dataclasses.asdict(self.accelerator)} if self.accelerator else {}
        return accelerator | {
            "name": self.name,
            "summary": self.summary,
            "cpu": {
                "arch": self.cpu.arch,
                "required_flags": list(self.cpu.required_flags),
                "absent_flags": list(self.cpu.absent_flags),
                "minimum_cores": self.cpu.minimum_cores,
            },
            "memory": {"minimum_mb": self.minimum_memory_mb},
            "runtime": {"onnxruntime": self.onnxruntime, "providers": list(self.providers)},
            "int8": dataclasses.asdict(self.int8),
            "search": {"precisions": list(self.precisions), "threads": list(self.threads), "objective": list(self.objective)},
        }


def _accelerator(table: Document) -> AcceleratorRequirement:
    return AcceleratorRequirement(
        provider=table.text("provider", one_of=ACCELERATOR_PROVIDERS),
        device=table.text("device", None, one_of=ACCELERATORS),
        memory_limit_mb=table.integer("memory_limit_mb", None, minimum=1, maximum=MAX_MEMORY_LIMIT_MB),
    )
