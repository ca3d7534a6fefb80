"""What holds for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

import sealift_core  # noqa: F401  (before all else: it prepares the environment that support modules import onnxruntime in)

# Two workers share two cores: where each of them and of their processes took both, they would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says something of the machine and of who else uses it, nothing of the code.
settings.register_profile("sealift", deadline=None)
settings.load_profile("sealift")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What `sealift pack` keeps goes into a folder of this run, not into the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEALIFT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
