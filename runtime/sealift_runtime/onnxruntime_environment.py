"""The environment that onnxruntime is imported in: no telemetry, no settings out of a model, no variable that names a file or a library.

onnxruntime and its execution providers read dozens of variables that begin with ``ORT_``. Some have it dump models, load plug-ins, keep caches, or
take session settings from the metadata of whatever model it loads. Importing it opens a database in the user's home and a connection to its
maker, unless a variable forbids that. A service's settings are in its own configuration, so these variables are set, kept by name, or dropped.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import Final

#: Variables that are set, whatever they were.
SET: Final = {"ORT_DISABLE_TELEMETRY": "1", "ORT_LOAD_CONFIG_FROM_MODEL": "0"}
#: Variables that only choose between kernels: they stay as they are.
KEPT: Final = frozenset(
    {
        "ORT_BEAM_SEARCH_USE_FAST_TOPK",
        "ORT_CUDA_GEMM_OPTIONS",
        "ORT_DISABLE_DECODER_ATTENTION",
        "ORT_DISABLE_FLASH_ATTENTION",
        "ORT_DISABLE_FUSED_ATTENTION",
        "ORT_DISABLE_FUSED_CROSS_ATTENTION",
        "ORT_DISABLE_MEMORY_EFFICIENT_ATTENTION",
        "ORT_DISABLE_TRT_FLASH_ATTENTION",
        "ORT_ENABLE_CUDNN_FLASH_ATTENTION",
        "ORT_ENABLE_FUSED_CAUSAL_ATTENTION",
        "ORT_GQA_DISABLE_FLASH_ATTENTION",
        "ORT_MLAS_QKGEMM_S8_APPROX_VNNI",
        "ORT_QMOE_CPU_QNBIT_GEMM",
        "ORT_USE_MLAS_Q4_GEMM_MOE",
    }
)
_PREFIXES: Final = ("ORT_", "ONNXRUNTIME_")


def prepare(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set, keep and drop the variables of onnxruntime. Called before its first import; child processes inherit it."""
    for name in [name for name in environment if name.startswith(_PREFIXES) and name not in KEPT]:
        del environment[name]
    environment.update(SET)
