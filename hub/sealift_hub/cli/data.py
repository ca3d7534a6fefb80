"""Where the hub keeps its data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import platformdirs


def default_directory() -> Path:
    """The place that the platform has for it."""
    return Path(platformdirs.user_data_dir("sealift-hub", appauthor=False))


data_option: Final[Callable[[Any], Any]] = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="SEALIFT_HUB_DATA",
    show_envvar=True,
    default=default_directory,
    show_default="the platform's data directory",
    help="Directory of the hub's database.",
)


def data_line(directory: Path) -> str:
    """Which data directory a command used; everything depends on that, and the default is easily forgotten."""
    return f"Data directory: {directory.absolute()}"
