"""Ask a model from the command line, with what a client would send."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import requests

from sealift_core.bundle.golden import Array
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import RequestError, TransportError
from sealift_core.http.http_session import open_session
from sealift_runtime.engine.session import ModelSession, read_golden, smallest_case
from sealift_runtime.store.device_store import DeviceStore
from sealift_runtime.update.installed import check_installed
from sealift_runtime.update.records import InstalledBundle

TIMEOUT_S = 60.0


def golden_inputs(directory: Path, manifest: BundleManifest) -> dict[str, Array]:
    """The inputs of a bundle's smallest golden case."""
    return dict(smallest_case(read_golden(directory, manifest)))


def ask_installed(store: DeviceStore, bundle: InstalledBundle, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The answer of an installed model, loaded in this process: one that passed its self-test here, if not a byte of it was changed since.

    Raises `IntegrityError` if one was, or `EngineError`.
    """
    check_installed(store, bundle)
    return ModelSession.open(bundle.directory).run(inputs)


def ask_server(url: str, name: str, inputs: Mapping[str, Array], manifest: BundleManifest) -> dict[str, Array]:
    """The answer of a running server. Raises `RequestError` with the server's words, or `TransportError`."""
    tensors = [_tensor(spec, inputs[spec.name]) for spec in manifest.inputs]
    try:
        with open_session(url, password=False) as http:
            http.trust_env = False  # the server is on this machine, behind no proxy
            answer = http.post(f"{url}/v2/models/{name}/infer", json={"inputs": tensors}, timeout=TIMEOUT_S, allow_redirects=False)
        fields: Any = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise TransportError(f"the agent doesn't answer, caused by: {error}", where=url) from error
    if answer.status_code != requests.codes.ok:
        raise RequestError(str(fields.get("error", "no reason given")), where=f"{url}: {name}")
    specs = {spec.name: spec for spec in manifest.outputs}
    return {
        output["name"]: np.array(output["data"], dtype=specs[output["name"]].numpy_dtype).reshape(output["shape"]) for output in fields["outputs"]
    }


def _tensor(spec: TensorSpec, value: Array) -> dict[str, Any]:
    return {"name": spec.name, "shape": list(value.shape), "datatype": spec.datatype, "data": _flat(value)}


def _flat(value: Array) -> list[Any]:
    """Row-major values; JSON has no NaN and no infinity, which the protocol's server takes as text."""
    if value.dtype.kind != "f" or np.isfinite(value).all():
        return list(value.ravel().tolist())
    return [item if np.isfinite(item) else str(item) for item in value.ravel().tolist()]
