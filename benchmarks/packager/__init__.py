"""Sealift's packager beside Olive and onnxruntime's own quantizers: ``make bench-packager``.

Same models, same rows, same machine; each tool in an environment of its own (``build/bench/venv-*``). What each hands over is then measured
in one process, in turns, and judged by rows that no tool has seen.

Reading order:

- ``values``            what passes from one step to the next
- ``judge``             who is ahead (pure)
- ``environments``      each tool's environment, and how large it is
- ``models``            each model as an fp32 graph with rows for the tools and rows for the judge
- ``sealift_side``, ``onnxruntime_side``, ``olive_side``, ``skl2onnx_side``  one tool each; programs that import nothing of this package, for
  they run elsewhere
- ``tools``             runs these, and keeps what came out
- ``measure``           latency in interleaved pairs, accuracy on the judge's rows
- ``trees``             a boosted ensemble beside its thresholds, by skl2onnx and by Sealift's converter
- ``table``             the page
- ``__main__``          all of it
"""

import sys

from benchmarks import ROOT

sys.path.append(str(ROOT / "examples" / "models"))  # for ``catalog`` and the models, as in ``make compat``
