"""All figures as one Markdown table: ``python -m benchmarks``, from the repository's root, in about two minutes."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator

from benchmarks import ROOT, footprint, install, monitoring, serving, start
from benchmarks.figure import Figure
from benchmarks.models import installed_device
from sealift_core.hardware.machine import detect_machine
from sealift_runtime.engine.facts import onnxruntime_version


def figures() -> Iterator[Figure]:
    """Each figure as soon as it is measured."""
    yield from install.figures()
    yield from start.help_figures()
    with installed_device() as agent:
        yield from start.run_figures(agent)
        agent.start()
        yield from footprint.figures(agent)
        yield from serving.figures(agent)
    yield from monitoring.figures()


def main() -> None:
    """Print the machine and the table."""
    os.chdir(ROOT)
    machine = detect_machine()
    busy = os.getloadavg()[0]
    also = f"; other work kept it busy (load {busy:.1f} at the start), so times are longer and rates lower than on a quiet machine"
    place = f"{machine.cores} cores of {machine.cpu_model}, Python {platform.python_version()}, onnxruntime {onnxruntime_version()}"
    print(f"On {place}{also if busy > machine.cores / 2 else ''}:\n")
    print("| what | measured |\n|---|---|")
    for figure in figures():
        print(f"| {figure.what} | {figure.value} |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
