"""The Open Inference Protocol over a real socket: every endpoint, and what breaks clients elsewhere."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_core.bundle.golden import Array
from sealift_core.bundle.tensors import TensorSpec
from sealift_runtime.serving.endpoints import Routes
from sealift_runtime.serving.http import HttpRequest, HttpResponse, json_response
from sealift_runtime.serving.server import InferenceServer
from support.models import MODELS, answer
from support.serving import Recorder, RunningServer, running, served, x_input

BAD: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "corpus" / "requests" / "bad.json").read_text(encoding="utf-8"))["cases"]
ONE_ROW = np.array([[1, 2, 3, 4]], np.float32)
RECORDER = Recorder()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("bundles")
    models = [served(folder / name, name, observer=RECORDER) for name in ("linear", "pair", "text", "logarithm", "hungry")]
    with running(lambda table: InferenceServer(table, metrics=lambda: "sealift_up 1\n"), *models) as started:
        yield started


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models/linear/ready", {"name": "linear", "ready": True}),
        ("/v2/models/linear/versions/1.0.0/ready", {"name": "linear", "ready": True}),
    ],
)
def test_health_is_given_by_status_and_by_body(server: RunningServer, path: str, expected: dict[str, Any]) -> None:
    response = server.ask("GET", path)
    assert (response.status, response.json) == (200, expected)


@pytest.mark.parametrize("path", ["/v2/models/linear", "/v2/models/linear/versions/1.0.0", "/v2/models/line%61r?format=x&y", "/v2/models/linear/"])
def test_metadata_has_the_batch_dimension(server: RunningServer, path: str) -> None:
    assert server.ask("GET", path).json == {
        "name": "linear",
        "versions": ["1.0.0"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
        "outputs": [{"name": "scores", "datatype": "FP32", "shape": [-1, 3]}, {"name": "label", "datatype": "INT64", "shape": [-1]}],
    }


def test_metadata_says_what_the_values_mean(tmp_path: Path) -> None:
    inputs = (TensorSpec(name="x", dtype="float32", shape=("batch", 4), unit="mm", columns=("a", "b", "c", "d")),)
    outputs = tuple(dataclasses.replace(spec, classes=("cat", "dog", 3)) for spec in MODELS["linear"].outputs)
    with running(InferenceServer, served(tmp_path / "m", inputs=inputs, outputs=outputs)) as started:
        metadata = started.ask("GET", "/v2/models/linear").json
        refusal = started.ask("POST", "/v2/models/linear/infer", {"inputs": [x_input(ONE_ROW[:, :3])]})
    assert metadata["inputs"][0]["parameters"] == {"unit": "mm", "columns": ["a", "b", "c", "d"]}
    assert [output["parameters"] for output in metadata["outputs"]] == [{"classes": ["cat", "dog", 3]}] * 2
    assert refusal.status == 400
    assert "one value for each of these columns, in this order: a, b, c, d." in refusal.json["error"]


def test_the_server_names_itself_and_its_extensions(server: RunningServer) -> None:
    response = server.ask("GET", "/v2").json
    assert response["name"] == "sealift"
    assert "binary_tensor_data" in response["extensions"]


def test_the_configuration_leaves_the_batch_out(server: RunningServer) -> None:
    response = server.ask("GET", "/v2/models/linear/config").json
    assert response["max_batch_size"] > 0
    assert response["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": [4]}]
    assert server.ask("GET", "/v2/models/hungry/config").json["max_batch_size"] == 0


def test_the_repository_index_answers_a_post_without_a_body(server: RunningServer) -> None:
    response = server.ask("POST", "/v2/repository/index")
    assert response.status == 200
    assert {"name": "linear", "version": "1.0.0", "state": "READY", "reason": ""} in response.json


@pytest.mark.parametrize("verb", ["load", "unload"])
def test_loading_and_unloading_is_the_agents(server: RunningServer, verb: str) -> None:
    response = server.ask("POST", f"/v2/repository/models/linear/{verb}", {})
    assert response.status == 403
    assert "agent" in response.json["error"]


def test_metrics_are_text(server: RunningServer) -> None:
    response = server.ask("GET", "/metrics")
    assert (response.body, response.headers["content-type"]) == (b"sealift_up 1\n", "text/plain; version=0.0.4; charset=utf-8")


@pytest.mark.parametrize("rows", [1, 7, 100])
@pytest.mark.parametrize("path", ["/v2/models/linear/infer", "/v2/models/linear/versions/1.0.0/infer?unknown=1"])
def test_inference_answers_as_onnxruntime_does(server: RunningServer, rows: int, path: str) -> None:
    x = np.random.default_rng(rows).normal(size=(rows, 4)).astype(np.float32)
    response = server.ask("POST", path, {"id": "a1", "inputs": [x_input(x)]})
    assert response.status == 200
    assert response.headers["content-type"] == "application/json"
    expected = answer("linear", {"x": x})
    document = response.json
    assert (document["model_name"], document["model_version"], document["id"]) == ("linear", "1.0.0", "a1")
    for output in document["outputs"]:
        value = np.array(output["data"], expected[output["name"]].dtype).reshape(output["shape"])
        np.testing.assert_array_equal(value, expected[output["name"]])


def test_raw_tensors_go_both_ways(server: RunningServer) -> None:
    raw = {"name": "x", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": 16}}
    outputs = [{"name": "scores", "parameters": {"binary_data": True}}, {"name": "label"}]
    head = json.dumps({"inputs": [raw], "outputs": outputs}).encode()
    response = server.ask("POST", "/v2/models/linear/infer", head + ONE_ROW.tobytes(), {"Inference-Header-Content-Length": str(len(head))})
    assert response.headers["content-type"] == "application/octet-stream"
    size = int(response.headers["inference-header-content-length"])
    scores, label = json.loads(response.body[:size])["outputs"]
    assert (scores["parameters"], label["data"]) == ({"binary_data_size": 12}, [2])
    np.testing.assert_array_equal(np.frombuffer(response.body[size:], np.float32), answer("linear", {"x": ONE_ROW})["scores"][0])


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_requests_are_answered(server: RunningServer, encoding: str) -> None:
    body = json.dumps({"inputs": [x_input(ONE_ROW)]}).encode()
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    response = server.ask("POST", "/v2/models/linear/infer", packed, {"Content-Encoding": encoding})
    assert response.json["outputs"][1]["data"] == [2]


def test_nan_and_infinity_go_in_and_come_out(server: RunningServer) -> None:
    body = b'{"inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [NaN, -1, Infinity, 0]}]}'
    response = server.ask("POST", "/v2/models/logarithm/infer", body)
    np.testing.assert_array_equal(response.json["outputs"][0]["data"], [np.nan, np.nan, np.inf, -np.inf])


def test_text_goes_in_and_comes_out(server: RunningServer) -> None:
    tensor = {"name": "word", "shape": [2], "datatype": "BYTES", "data": ["größe", "null"]}
    code, echo = server.infer("text", [tensor]).json["outputs"]
    assert (code["data"], echo["data"], echo["datatype"]) == ([3, -1], ["größe!", "null!"], "BYTES")


def test_statistics_count_requests_and_failures(server: RunningServer) -> None:
    def counts() -> tuple[int, int]:
        statistics = server.ask("GET", "/v2/models/pair/stats").json["model_stats"][0]
        return statistics["inference_count"], statistics["inference_stats"]["fail"]["count"]

    before = counts()
    tensors = [{"name": name, "shape": [1, 2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]} for name in ("left", "right")]
    assert server.infer("pair", tensors).json["outputs"][0]["data"] == [4, 8, 12, 16]
    assert server.infer("pair", tensors[:1]).status == 400
    assert counts() == (before[0] + 1, before[1] + 1)
    assert len(server.ask("GET", "/v2/models/stats").json["model_stats"]) == 5


def test_statistics_count_rows_as_inferences_and_requests_as_runs(server: RunningServer) -> None:
    def counts() -> tuple[int, int, int]:
        statistics = server.ask("GET", "/v2/models/linear/stats").json["model_stats"][0]
        return statistics["inference_count"], statistics["execution_count"], statistics["inference_stats"]["success"]["count"]

    before = counts()
    assert server.infer("linear", [x_input(np.ones((5, 4), np.float32))]).status == 200
    assert counts() == (before[0] + 5, before[1] + 1, before[2] + 1)


def test_a_parameter_asks_for_null_in_place_of_nan(server: RunningServer) -> None:
    tensors = [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [-1, 1]}]
    strict = server.infer("logarithm", tensors, parameters={"nonfinite": "null"})
    assert strict.body.endswith(b'"data":[null,0.0]}]}')
    refused = server.infer("logarithm", tensors, parameters={"nonfinite": "zero"})
    assert (refused.status, "parameters.nonfinite" in refused.json["error"]) == (400, True)


def test_observers_get_the_arrays_and_the_reasons_of_failures(server: RunningServer) -> None:
    RECORDER.seen.clear()
    RECORDER.failures.clear()
    server.infer("linear", [x_input(ONE_ROW)])
    server.infer("linear", [])
    inputs, outputs, latency_ms = RECORDER.seen[0]
    np.testing.assert_array_equal(inputs["x"], ONE_ROW)
    assert set(outputs) == {"scores", "label"}
    assert 0 < latency_ms < 10_000
    assert RECORDER.failures == ["bad-request"]


@pytest.mark.parametrize("case", BAD, ids=lambda case: case["name"])
def test_a_bad_request_gets_a_4xx_and_an_error_body(server: RunningServer, case: dict[str, Any]) -> None:
    body = base64.b64decode(case["body64"]) if "body64" in case else str(case["body"]).encode()
    response = server.ask("POST", f"/v2/models/{case['model']}/infer", body, case.get("headers"))
    assert response.status == 400
    assert list(response.json) == ["error"]
    assert case["error"] in response.json["error"]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/v2/models/nope", "unknown model 'nope': this server has hungry 1.0.0, linear 1.0.0"),
        ("/v2/models/linear/versions/9.9.9", "unknown model 'linear' version '9.9.9'"),
        ("/v2/models/a%2Fb/ready", "unknown model 'a/b'"),
        ("/v2/models/linear/nope", "no such path"),
        ("/v2/models/linear/versions", "no such path"),
        ("/", "no such path"),
        ("/admin/status", "no such path"),
    ],
)
def test_what_is_not_there_is_404(server: RunningServer, path: str, error: str) -> None:
    response = server.ask("GET", path)
    assert response.status == 404
    assert error in response.json["error"]


def test_inference_for_an_unknown_model_is_404(server: RunningServer) -> None:
    response = server.infer("nope", [])
    assert response.status == 404
    assert "unknown model 'nope'" in response.json["error"]


def test_a_path_that_is_not_utf8_is_400(server: RunningServer) -> None:
    response = server.ask("GET", "/v2/models/%ff")
    assert response.status == 400
    assert "not UTF-8" in response.json["error"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v2/models/linear/infer", "POST"),
        ("DELETE", "/v2", "GET, HEAD"),
        ("GET", "/v2/repository/index", "POST"),
        ("POST", "/metrics", "GET, HEAD"),
    ],
)
def test_a_wrong_verb_is_405_and_names_the_right_ones(server: RunningServer, method: str, path: str, allowed: str) -> None:
    response = server.ask(method, path)
    assert (response.status, response.headers["allow"]) == (405, allowed)
    assert f"expected {allowed}, found {method}" in response.json["error"]


def test_a_model_that_needs_more_memory_than_there_is_is_503_and_the_server_stays_up(server: RunningServer) -> None:
    response = server.infer("hungry", [{"name": "size", "shape": [1], "datatype": "INT64", "data": [2**60]}])
    assert response.status == 503
    assert "hungry 1.0.0: the model does not run" in response.json["error"]
    assert server.infer("linear", [x_input(ONE_ROW)]).status == 200


def test_a_server_without_models_is_live_and_not_ready() -> None:
    with running(InferenceServer) as empty:
        assert empty.ask("GET", "/v2/health/live").status == 200
        response = empty.ask("GET", "/v2/health/ready")
        assert (response.status, response.json) == (503, {"ready": False})


def test_a_fault_of_an_observer_does_not_reach_the_client(tmp_path: Path) -> None:
    class Broken(Recorder):
        def observed(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array], latency_ms: float) -> None:
            raise KeyError(len(inputs), len(outputs), latency_ms)

    with running(InferenceServer, served(tmp_path, observer=Broken())) as broken:
        assert broken.infer("linear", [x_input(ONE_ROW)]).status == 200
        assert broken.infer("linear", [x_input(ONE_ROW)]).status == 200


def test_added_routes_answer_at_once_or_later() -> None:
    async def later(request: HttpRequest) -> HttpResponse:
        return json_response({"length": len(request.body), "path": request.path})

    def broken(_: HttpRequest) -> HttpResponse:
        raise KeyError("oh")

    routes: Routes = {("GET", "/now"): lambda _: json_response([1]), ("POST", "/a b"): later, ("GET", "/broken"): broken}
    with running(lambda table: InferenceServer(table, routes=routes)) as extended:
        assert extended.ask("GET", "/now").json == [1]
        assert extended.ask("POST", "/a%20b", b"12345").json == {"length": 5, "path": "/a b"}
        assert extended.ask("GET", "/a%20b").status == 405
        assert (extended.ask("GET", "/broken").status, extended.ask("GET", "/now").status) == (500, 200)


def test_the_committed_models_cover_every_dtype_family() -> None:
    dtypes = {spec.dtype for model in MODELS.values() for spec in (*model.inputs, *model.outputs)}
    assert {"float32", "int64", "string"} <= dtypes
