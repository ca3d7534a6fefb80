"""Sets of processor flags that decide something, each defined here once, as Linux names them (see `cpuinfo`)."""

from __future__ import annotations

from typing import Final

#: With one of these, x86-64 sums int8 products in 32 bits (onnxruntime's kernels use each of them); without, pairs of them in saturating 16 bits.
VNNI: Final = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
#: Dot products and matrix products of int8 on Arm, which never saturate.
ARM_INT8: Final = frozenset({"asimddp", "i8mm"})
#: What makes int8 quicker than on a processor without.
FAST_INT8: Final = VNNI | ARM_INT8
#: What the instructions decide of an answer's last bits, and of int8's saturation: flags that begin so.
ARITHMETIC_PREFIXES: Final = ("amx", "asimd", "avx", "bf16", "f16c", "fma", "fphp", "i8mm", "sme", "sse", "ssse", "sve")
