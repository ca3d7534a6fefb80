"""The environment that libraries are imported in: nobody's telemetry, no settings out of a model, no variable that names a file or a library.

1. Several libraries report to their makers unless a variable forbids it. onnxruntime opens a database in the user's home when it is imported, and
   sends what is in it some seconds later; nothing switches that off afterwards. All of them are off, whatever the variables were.
2. onnxruntime and its execution providers read dozens of variables that begin with ``ORT_``. Some have it dump models, load plug-ins, keep caches, or
   take session settings from the metadata of whatever model it loads. A service's settings are in its own configuration, so these variables are set,
   kept by name, or dropped.

`sealift_core` prepares the environment when it is imported, and the other packages import it before anything else. So no module of ours has to
think of it, and child processes inherit it or are given `SET`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from typing import Final

#: onnxruntime's own variable against telemetry.
SILENT: Final = "ORT_DISABLE_TELEMETRY"
#: Variables that keep libraries from sending anything to their makers.
TELEMETRY_OFF: Final = {
    SILENT: "1",
    "ORT_GENAI_TELEMETRY_DISABLED": "1",
    "OLIVE_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "DO_NOT_TRACK": "1",  # many libraries follow it, such as Evidently
}
#: Variables that are set, whatever they were.
SET: Final = {**TELEMETRY_OFF, "ORT_LOAD_CONFIG_FROM_MODEL": "0"}
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
    """Set, keep and drop the variables. Called before the first import of a library that reads them; child processes inherit them.

    Args:
        environment: The variables, which are changed; those of this process by default.
    """
    for name in [name for name in environment if name.startswith(_PREFIXES) and name not in KEPT]:
        del environment[name]
    environment.update(SET)


#: Whether a program imported onnxruntime before anything of ours, with its telemetry on.
IMPORTED_BEFORE: Final = "onnxruntime" in sys.modules and os.environ.get(SILENT) != TELEMETRY_OFF[SILENT]
