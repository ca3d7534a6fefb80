"""All of the corpus of bad models and data, the heavy cases too; the figures go to stdout (``-s``)."""

from __future__ import annotations

import pytest

from support.bad_models import FAMILIES, check


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("family", "name"), [(family, name) for family, cases in FAMILIES.items() for name in cases])
def test_a_bad_input_gets_a_clear_error_in_bounded_memory_and_time(family: str, name: str) -> None:
    row = check(family, name, heavy=True)
    print(f"{family}, {name}: {row.peak_bytes >> 20} MiB, {row.seconds:.1f} s: {row.err.strip():.160}")
