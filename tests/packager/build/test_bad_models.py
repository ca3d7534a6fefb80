"""Bad models and data, each through ``sealift pack``: a clear error, in bounded memory and time."""

from __future__ import annotations

import pytest

from support.bad_models import FAMILIES, check

LIGHT = [(family, name) for family, cases in FAMILIES.items() for name, case in cases.items() if not case.heavy]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("family", "name"), LIGHT)
def test_a_bad_input_gets_a_clear_error_in_bounded_memory_and_time(family: str, name: str) -> None:
    check(family, name, heavy=False)
