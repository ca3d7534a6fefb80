"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

home_option: Final[Callable[[Any], Any]] = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="The device's directory. Default: SEALIFT_HOME, else /var/lib/sealift for root and the user's data directory for others.",
)
