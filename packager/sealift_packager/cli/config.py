"""sealift.toml: what would stand on the command line of `sealift pack`; the command line wins.

The one in the working folder is read unasked, and may then say less: see `project.unasked`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from sealift_core.schema.documents import Document
from sealift_core.terminal.logging_options import NAMES as LOGGING
from sealift_packager.errors import PackagerError
from sealift_packager.project.unasked import TRUST_OPTION, refuse_unasked

FILE: Final = "sealift.toml"
TABLE: Final = "pack"
MAX_BYTES: Final = 2**20
#: What can't stand in the file: which file it is, and whether it is trusted.
_ALONE: Final = ("config", "help", TRUST_OPTION.strip("-").replace("-", "_"), *LOGGING)
#: Options that name functions (those of data may): a file in them is looked for beside the sealift.toml too.
_FUNCTIONS: Final = ("factory", "metric")
_DATA: Final = ("data", "golden-from")


def config_option(command: Any) -> Any:
    """The option ``--config``: read before all others, whose defaults it sets, but after ``--trust-project``."""
    option = click.option(
        "--config",
        type=click.Path(path_type=Path),
        is_eager=True,
        callback=_read,
        help=f"A TOML file whose table [{TABLE}] sets options.  [default: {FILE}, if it exists; that file may set nothing that runs code, "
        "signs, sends data or overwrites files]",
    )(command)
    return trust_option(option)


def trust_option(command: Any) -> Any:
    """The option ``--trust-project``; `trusts_project` tells whether it was given."""
    return click.option(
        TRUST_OPTION,
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_remember,
        help="Let the project file in the current folder set every option, as if you had named it: run functions, sign, overwrite.",
    )(command)


def trusts_project(context: click.Context) -> bool:
    """Whether ``--trust-project`` stands on the command line."""
    return bool(context.meta.get(TRUST_OPTION))


def _remember(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    context.meta[TRUST_OPTION] = value and context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE


def _read(context: click.Context, _: click.Parameter, given: Path | None) -> Path | None:
    """The file that was read, if there was one."""
    path = given or Path(FILE)
    if given is None and not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PackagerError(f"can't be read ({error.strerror})", where=f"--config {path}") from error
    values = read_config(data, path, context.command.params)
    if given is None and not trusts_project(context):
        settings = Document.parse_toml(data, where=str(path), max_bytes=MAX_BYTES).document(TABLE, {}).raw()
        refuse_unasked(settings, path, where=str(path), consent=f"--config {path}")
    context.default_map = {**values, **(context.default_map or {})}
    return path


def read_config(data: bytes, path: Path, parameters: list[click.Parameter]) -> dict[str, Any]:
    """Values by the parameters' names; paths in the file are meant from its own folder. `DocumentError` names what is wrong."""
    document = Document.parse_toml(data, where=str(path), max_bytes=MAX_BYTES)
    table = document.document(TABLE, {})
    document.refuse_unknown()
    by_key = {key_of(parameter): parameter for parameter in parameters if parameter.name not in _ALONE}
    values = {option.name: _value(table, key, option, path.parent) for key, option in by_key.items() if option.name and table.has(key)}
    for key in by_key:
        table.value(key, None)
    table.refuse_unknown()
    return values


def key_of(parameter: click.Parameter) -> str:
    """An option's key: its long name without the dashes; an argument's own name."""
    if isinstance(parameter, click.Argument):
        return parameter.name or ""
    return max(parameter.opts, key=len).lstrip("-")


def _value(table: Document, key: str, parameter: click.Parameter, folder: Path) -> Any:
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return table.boolean(key)
    if parameter.multiple:
        return [_text(text, key, parameter, folder) for text in table.texts(key)]
    if parameter.type.name == "numbers":
        return table.numbers(key)
    if isinstance(parameter.type, click.types.IntParamType):
        return table.integer(key)
    if isinstance(parameter.type, click.types.FloatParamType):
        return table.number(key)
    return _text(table.text(key), key, parameter, folder)


def _text(text: str, key: str, parameter: click.Parameter, folder: Path) -> str:
    if key in _FUNCTIONS or (key in _DATA and ":" in text and not (folder / text).exists()):
        return str(folder / text) if text.endswith(".py") or text.rpartition(":")[0].endswith(".py") else text
    is_path = isinstance(parameter.type, click.Path) or (key == "profile" and ("/" in text or text.endswith(".toml")))
    return str(folder / text) if is_path else text
