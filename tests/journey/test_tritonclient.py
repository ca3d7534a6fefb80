"""The field's usual client, tritonclient over HTTP, is answered as by Triton."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import tritonclient.http as triton

from sealift_core.bundle.golden import Array
from sealift_runtime.serving.server import InferenceServer
from support.models import answer
from support.serving import RunningServer, running, served

MODELS = ("linear", "text", "logarithm", "pair")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("bundles")
    with running(InferenceServer, *(served(folder / name, name) for name in MODELS)) as started:
        yield started


@pytest.fixture
def client(server: RunningServer) -> Iterator[triton.InferenceServerClient]:
    opened = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
    yield opened
    opened.close()


def tensor(name: str, value: Array, datatype: str, *, binary: bool) -> triton.InferInput:
    made = triton.InferInput(name, list(value.shape), datatype)
    made.set_data_from_numpy(value, binary_data=binary)
    return made


def test_health_and_metadata_are_understood(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("linear")
    assert client.is_model_ready("linear", "1.0.0")
    assert not client.is_model_ready("nope")
    assert client.get_server_metadata()["name"] == "sealift"
    assert client.get_model_metadata("linear")["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert client.get_model_config("linear")["max_batch_size"] > 0
    assert client.get_inference_statistics()["model_stats"][0]["name"] == "linear"
    assert {model["name"] for model in client.get_model_repository_index()} == set(MODELS)


@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize("packing", [None, "gzip", "deflate"])
def test_inference_gives_what_onnxruntime_gives(
    client: triton.InferenceServerClient, rows: int, binary_in: bool, binary_out: bool, packing: str | None
) -> None:
    x = np.random.default_rng(rows).normal(size=(rows, 4)).astype(np.float32)
    requested = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in ("scores", "label")]
    inputs = [tensor("x", x, "FP32", binary=binary_in)]
    result = client.infer("linear", inputs, outputs=requested, request_id="7", request_compression_algorithm=packing)
    assert result.get_response()["id"] == "7"
    for name, expected in answer("linear", {"x": x}).items():
        np.testing.assert_array_equal(result.as_numpy(name), expected)


def test_all_outputs_come_when_none_are_asked_for(client: triton.InferenceServerClient) -> None:
    x = np.ones((2, 4), np.float32)
    result = client.infer("linear", [tensor("x", x, "FP32", binary=True)])
    np.testing.assert_array_equal(result.as_numpy("label"), answer("linear", {"x": x})["label"])


@pytest.mark.parametrize("binary", [True, False])
def test_text_is_understood(client: triton.InferenceServerClient, binary: bool) -> None:
    words = np.array(["red", "größe"], dtype=object)
    requested = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("code", "echo")]
    result = client.infer("text", [tensor("word", words, "BYTES", binary=binary)], outputs=requested)
    assert result.as_numpy("code").tolist() == [1, 3]
    echo = [item.decode() if isinstance(item, bytes) else item for item in result.as_numpy("echo")]
    assert echo == ["red!", "größe!"]


@pytest.mark.parametrize("binary", [True, False])
def test_nan_and_infinities_survive(client: triton.InferenceServerClient, binary: bool) -> None:
    x = np.array([[np.nan, np.inf], [0, -1]], np.float32)
    requested = [triton.InferRequestedOutput("y", binary_data=binary)]
    result = client.infer("logarithm", [tensor("x", x, "FP32", binary=binary)], outputs=requested)
    np.testing.assert_array_equal(result.as_numpy("y"), [[np.nan, np.inf], [-np.inf, np.nan]])


def test_two_inputs_keep_their_order(client: triton.InferenceServerClient) -> None:
    left, right = np.ones((1, 2, 2), np.float32), np.full((1, 2, 2), 3, np.float32)
    inputs = [tensor("right", right, "FP32", binary=True), tensor("left", left, "FP32", binary=False)]
    np.testing.assert_array_equal(client.infer("pair", inputs).as_numpy("total"), np.full((1, 2, 2), 8))


def test_errors_arrive_as_the_clients_own_exception(client: triton.InferenceServerClient) -> None:
    x = np.ones((1, 5), np.float32)
    with pytest.raises(triton.InferenceServerException, match=r"input 'x': wrong shape: expected \[batch, 4\], found \[1, 5\]"):
        client.infer("linear", [tensor("x", x, "FP32", binary=True)])
    with pytest.raises(triton.InferenceServerException, match="unknown model 'nope'"):
        client.get_model_metadata("nope")
    with pytest.raises(triton.InferenceServerException, match="the agent loads and unloads models"):
        client.load_model("linear")
