"""What the demo's applications do: ask a model over the Open Inference Protocol."""

from __future__ import annotations

from typing import Any

import numpy as np
import requests

Array = np.ndarray[Any, np.dtype[Any]]
DATATYPES = {"float32": "FP32", "int64": "INT64"}


class Client:
    """A client of one agent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()

    def infer(self, model: str, inputs: dict[str, Array]) -> dict[str, Array]:
        """The model's outputs by name."""
        tensors = [
            {"name": name, "shape": list(value.shape), "datatype": DATATYPES[str(value.dtype)], "data": value.ravel().tolist()}
            for name, value in inputs.items()
        ]
        answer = self.session.post(f"{self.url}/v2/models/{model}/infer", json={"inputs": tensors}, timeout=30)
        answer.raise_for_status()
        return {tensor["name"]: np.array(tensor["data"]).reshape(tensor["shape"]) for tensor in answer.json()["outputs"]}

    def version(self, model: str) -> str:
        """Which version answers."""
        return str(self.session.get(f"{self.url}/v2/models/{model}", timeout=10).json()["versions"][0])

    def metrics(self) -> str:
        """The agent's Prometheus page."""
        return self.session.get(f"{self.url}/metrics", timeout=10).text
