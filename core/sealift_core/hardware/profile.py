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
    """The processor: architecture, flags (as Linux names them) that must be there and must not, least cores."""

    arch: str
    required_flags: tuple[str, ...] = ()
    absent_flags: tuple[str, ...] = ()
    minimum_cores: int = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Int8Recipe:
    """What int8 arithmetic is sound on the hardware.

    ``reduce_range`` keeps weights to 7 bits: without VNNI, x86 sums pairs of u8×s8 products in saturating 16 bits.
    """

    activation: str
    weight: str
    reduce_range: bool
    per_channel: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorRequirement:
    """What computes beside the processor, or instead of its plain kernels.

    ``provider`` is the execution provider that the device's onnxruntime must have; ``device`` what must be built in, None where the provider
    runs on the processor itself (OpenVINO). ``memory_limit_mb`` is the most that a model may take of the accelerator's memory, None without a limit.
    """

    provider: str
    device: str | None = None
    memory_limit_mb: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HardwareProfile:
    """One class of hardware; see the package's ``hardware-profiles`` for the ones that ship."""

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
        """Read a profile that a person wrote; unknown fields are refused with the nearest spelling."""
        return cls.parse(Document.parse_toml(data, where=where, max_bytes=MAX_PROFILE_BYTES), strict=True)

    @classmethod
    def parse(cls, document: Document, *, strict: bool = False) -> HardwareProfile:
        """Read a profile, from TOML or from a manifest."""
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
        """The profile as a manifest writes it."""
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
