"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

home_option: Final[Callable[[Any], Any]] = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Home directory of this device. Default: SEALIFT_HOME if it is set, otherwise /var/lib/sealift for root, or the user's data directory.",
)
