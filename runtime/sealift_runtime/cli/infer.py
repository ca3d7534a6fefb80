"""``sealift-agent infer``: ask a model, served or installed."""

from __future__ import annotations

import json
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from sealift_core import beneath
from sealift_core.bundle.golden import Array
from sealift_core.bundle.shapes import name_columns
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import LimitError, RequestError, UpdateError, nearest
from sealift_core.terminal.commandline import json_option, show
from sealift_runtime.agent.admin_client import DataPlaneClient
from sealift_runtime.agent.ask import ask_installed, ask_server, golden_inputs
from sealift_runtime.agent.device import opened
from sealift_runtime.agent.home import Home
from sealift_runtime.agent.server_info import server_url
from sealift_runtime.cli.options import home_option
from sealift_runtime.engine.session import read_manifest

MAX_INPUT_BYTES: Final = 2**30


@click.command()
@click.argument("name")
@click.option(
    "--input", "source", metavar="FILE", help='File with the inputs: .npz, or JSON such as {"x": [[1, 2]]}. Pass - to read JSON from standard input.'
)
@click.option("--golden", is_flag=True, help="Use the bundle's smallest golden case as the inputs.")
@home_option
@json_option
def infer(name: str, source: str | None, golden: bool, home: Path | None, as_json: bool) -> None:
    """Run model NAME on inputs, and print its outputs.

    If the agent is running, it answers over HTTP. Otherwise this command loads the installed bundle itself.
    """
    place = Home.locate(home)
    with opened(place) as device:
        deployment = device.state.deployment(name)
        if deployment is None or deployment.current is None:
            names = [deployment.name for deployment in device.state.deployments()]
            raise UpdateError(
                "no such model on this device",
                where=name,
                expected=", ".join(names) or "an installed model (run sealift-agent sync)",
                advice=nearest(name, names),
            )
        bundle = deployment.current
        manifest = read_manifest(bundle.directory)
        inputs = golden_inputs(bundle.directory, manifest) if golden else read_inputs(source, manifest.inputs)
        url = server_url(place) if DataPlaneClient(place.socket).running() else None
        outputs = ask_server(url, name, inputs, manifest) if url else ask_installed(device.store, bundle, inputs)
    values = {key: value.tolist() for key, value in outputs.items()}
    fields = {"name": name, "version": manifest.version, "served": url is not None, "outputs": values}
    show(fields, (f"{key} {list(value.shape)}: {value.tolist()}" for key, value in outputs.items()), as_json=as_json)


def read_inputs(source: str | None, specs: tuple[TensorSpec, ...]) -> dict[str, Array]:
    """The inputs in a file, as the arrays that the model takes; `RequestError` says what is wrong with them."""
    described = ", ".join(f"{spec.name} ({spec.dtype} {list(spec.shape)})" for spec in specs)
    if source is None:
        raise RequestError("no input was given", expected=described, advice="Pass a file with --input, or use --golden.")
    values = _read(source)
    names = [spec.name for spec in specs]
    for name in values:
        if name not in names:
            raise RequestError("the model has no such input", where=f"{source}: {name}", expected=described, advice=nearest(name, names))
    return {spec.name: _array(values, spec, source, described) for spec in specs}


def _read(source: str) -> dict[str, Any]:
    try:
        if source.endswith(".npz"):
            return _read_npz(source)
        data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1) if source == "-" else beneath.read_bounded(Path(source), MAX_INPUT_BYTES)
        if len(data) > MAX_INPUT_BYTES:
            raise LimitError("too large", where=source, expected=f"at most {MAX_INPUT_BYTES} bytes")
        values = json.loads(data)
    except (OSError, ValueError, RecursionError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise RequestError(f"the inputs can't be read, caused by: {error}", where=source) from error
    if not isinstance(values, dict):
        raise RequestError("the file doesn't name its inputs", where=source, expected='a JSON object such as {"x": [[1, 2]]}')
    return values


def _read_npz(source: str) -> dict[str, Any]:
    with Path(source).open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise RequestError("the file doesn't name its inputs", where=source, expected="an archive of named arrays, as numpy.savez writes it")
        with archive:
            return dict(archive)


def _array(values: dict[str, Any], spec: TensorSpec, source: str, described: str) -> Array:
    where = f"{source}: {spec.name}"
    if spec.name not in values:
        raise RequestError("an input is missing", where=where, expected=described)
    expected = f"{spec.dtype} {list(spec.shape)}"
    value = _converted(values[spec.name], spec, where, expected)
    fits = value.ndim == len(spec.shape) and all(
        isinstance(size, str) or size == actual for size, actual in zip(spec.shape, value.shape, strict=True)
    )
    if not fits:
        raise RequestError("wrong shape", where=where, expected=expected, found=str(list(value.shape)), advice=name_columns(spec))
    return value


def _converted(value: Any, spec: TensorSpec, where: str, expected: str) -> Array:
    """The value in the tensor's dtype, if that says the same: no text for numbers, no fractions for integers, nothing out of range."""
    if spec.dtype == "string":
        texts = np.asarray(value, dtype=object)
        if not all(isinstance(item, str) for item in texts.ravel()):
            raise RequestError("the values aren't text", where=where, expected=expected)
        return texts
    try:
        given = np.asarray(value)
        if given.dtype.kind == "O":  # JSON's null is a missing number
            given = np.asarray(value, dtype=np.float64)
        if given.dtype.kind not in "biuf":
            raise RequestError(
                "the values aren't numbers", where=where, expected=expected, found="text" if given.dtype.kind == "U" else str(given.dtype)
            )
        with np.errstate(over="ignore", invalid="ignore"):
            made = given.astype(spec.numpy_dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise RequestError(
            "the values don't form a tensor", where=where, expected=expected, found=f"values that can't be converted, caused by: {error}"
        ) from error
    lost = (np.isinf(made) & np.isfinite(given)) if made.dtype.kind == "f" else made != given
    if lost.any():
        raise RequestError("a value doesn't fit the data type", where=where, expected=expected, found=str(given[lost].ravel()[0]))
    return made
