"""What a process holds of the memory once large blocks are freed."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
from sealift_core.process.memory import give_large_blocks_back, resident_bytes
give_large_blocks_back()
before = resident_bytes()
keep = []
for number in range(16):
    block = bytearray()
    while len(block) < 12 * 2**20:
        block += bytes(256 * 1024)
    keep.append(block)
    if number % 2:
        keep.pop(0)
most = resident_bytes()
keep.clear()
del block
print((most - before) >> 20, (resident_bytes() - before) >> 20)
"""


def test_large_blocks_go_back_to_the_kernel_when_they_are_freed() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    most, after = map(int, done.stdout.split())
    assert 8 * 12 <= most <= 9 * 14
    assert after <= 4
