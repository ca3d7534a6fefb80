"""Linux's /proc/cpuinfo: instruction flags (x86 ``flags``, Arm ``Features``) and what the processor is called.

Source: https://docs.kernel.org/arch/x86/cpuinfo.html and https://docs.kernel.org/arch/arm64/elf_hwcaps.html. Flags keep
the kernel's spelling: ``avx512_vnni``, ``avx_vnni``, ``asimddp``, ``i8mm``.
"""

from __future__ import annotations

import dataclasses
from typing import Final

_FLAG_FIELDS: Final = ("flags", "Features")
_MODEL_FIELDS: Final = ("model name", "Model", "Hardware")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CpuInfo:
    """What /proc/cpuinfo says.

    Attributes:
        flags: The flags that every processor has.
        model: What the processor is called, for people; may be empty.
    """

    flags: frozenset[str]
    model: str


def parse_cpuinfo(text: str) -> CpuInfo:
    """Read the text of /proc/cpuinfo.

    Where cores differ (big.LITTLE), only flags that all of them have count: a thread may wake up on any of them.

    Args:
        text: The file's content.

    Returns:
        The flags and the model; both are empty where the text has neither.
    """
    fields = [(key.strip(), value.strip()) for key, colon, value in (line.partition(":") for line in text.splitlines()) if colon]
    flag_sets = [frozenset(value.split()) for key, value in fields if key in _FLAG_FIELDS]
    return CpuInfo(flags=frozenset.intersection(*flag_sets) if flag_sets else frozenset(), model=_model(dict(reversed(fields))))


def _model(fields: dict[str, str]) -> str:
    for key in _MODEL_FIELDS:
        if fields.get(key):
            return fields[key]
    if "CPU implementer" in fields and "CPU part" in fields:
        return f"Arm, implementer {fields['CPU implementer']}, part {fields['CPU part']}"
    return ""
