"""A server takes no more clients than it has file descriptors for, and asks for as many as it may have."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: In a process of its own, for what a process gives up here it doesn't get back.
ASKING = """
import resource, sys
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from sealift_core.process.descriptors import make_room
print(make_room(wanted), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "fitting", "raised"),
    [
        (300, 4096, 1000, 1256),  # raised to what is needed
        (300, 600, 344, 600),  # to what may be
        (300, 300, 150, 300),
        (4096, 4096, 1000, 4096),  # enough as it is
    ],
)
def test_clients_fit_into_the_limit_of_open_files(soft: int, hard: int, fitting: int, raised: int) -> None:
    done = subprocess.run([sys.executable, "-c", ASKING, str(soft), str(hard), "1000"], capture_output=True, text=True, check=True)
    assert [int(word) for word in done.stdout.split()] == [fitting, raised, hard]
