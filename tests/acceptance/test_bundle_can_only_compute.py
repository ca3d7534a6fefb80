"""A bundle can compute and nothing else, even one that is signed by a stolen key.

For every session entry that the installed onnxruntime knows, every execution provider and form of its options, every way to external data, and every
domain and operator that could touch files or a network: a bundle with a good signature, in a release that the repository vouches for, brought
to an agent that runs. It is refused with its reason; files that it aims at stay as they are; the versions before serve all the time.
"""

from __future__ import annotations

import dataclasses
import datetime
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

import onnx
import onnxruntime
import pytest

from sealift_core.errors import SealiftError
from sealift_core.session_entries import ENTRIES, MAX_THREADS, PROVIDERS
from sealift_packager.diff import artifact
from sealift_packager.repository.intake import check_release
from support.agents import AgentUnderTest, device, wait_until
from support.hostile_graphs import hostile_graphs
from support.models import MODELS, shared_key
from support.native_entries import native_entries
from support.repositories import Repository, snapshot_of
from support.static_server import serve_directory
from support.thief import forge_bundle, forge_release

pytestmark = pytest.mark.timeout(900)
#: So many models get a hostile update at once.
WIDTH: Final = 24
SECRET: Final = "the device's private key 6b1f"
_X: Final = MODELS["linear"].requests[0]["x"]
REQUEST: Final = [{"name": "x", "shape": list(_X.shape), "datatype": "FP32", "data": _X.ravel().tolist()}]
_ENTRY_WORDS: Final = "this session entry isn't allowed"
_PROVIDER_WORDS: Final = "an execution provider that isn't supported"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """What a bundle tries, and words of the reason for which it is refused."""

    name: str
    words: str
    session: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    graph: bytes | None = None


def entries(target: str) -> Iterator[Attack]:
    """Every entry that onnxruntime knows, and allowed ones with a value that they can't have."""
    for name in sorted(native_entries() - set(ENTRIES)):
        yield Attack(name=f"entry {name}", words=_ENTRY_WORDS, session={"config": {name: target}})
        if not any(word in name for word in ("file", "path", "folder")):
            yield Attack(name=f"entry {name} = 1", words=_ENTRY_WORDS, session={"config": {name: "1"}})
    for name in ENTRIES:
        yield Attack(name=f"value of {name}", words="this value isn't allowed for the session entry", session={"config": {name: target}})
    everything = dict.fromkeys(native_entries() - set(ENTRIES), target)
    yield Attack(name="all entries at once", words=_ENTRY_WORDS, session={"config": everything})


def providers(target: str) -> Iterator[Attack]:
    """Every provider that isn't supported, and every way to give one options."""
    for name in sorted(set(onnxruntime.get_all_providers()) - set(PROVIDERS)):
        yield Attack(name=f"provider {name}", words=_PROVIDER_WORDS, session={"providers": [name, "CPUExecutionProvider"]})
    library = {"trt_extra_plugin_lib_paths": target, "cache_dir": target, "load_config": target, "tunable_op_enable": "1"}
    yield Attack(name="provider by path", words=_PROVIDER_WORDS, session={"providers": [target]})
    yield Attack(name="options beside the name", words="wrong type", session={"providers": [["OpenVINOExecutionProvider", library]]})
    yield Attack(name="options in the name", words=_PROVIDER_WORDS, session={"providers": [f"OpenVINOExecutionProvider|cache_dir={target}"]})
    for field in ("provider_options", "custom_op_libraries", "optimized_model_filepath", "profile_file_prefix", "config_file", "ep_context"):
        yield Attack(name=f"field {field}", words="unknown field", session={field: [library]})
    for prefix in ("ep.openvinoexecutionprovider.", "ep.tensorrt.", "ep.cuda.", "ep_factory.", ""):
        for option in library:
            yield Attack(name=f"option {prefix}{option}", words=_ENTRY_WORDS, session={"config": {prefix + option: target}})
    yield Attack(name="threads", words="out of range", session={"intra_op_threads": MAX_THREADS + 1})
    yield Attack(name="threads between nodes", words="out of range", session={"inter_op_threads": 10**6})


def attacks(target: Path) -> list[Attack]:
    """All of them."""
    graphs = (Attack(name=name, words=row.words, graph=row.data) for name, row in hostile_graphs(str(target)).items())
    return [*entries(str(target)), *providers(str(target)), *graphs]


class Canary:
    """Files that no bundle may read or write."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        self.secret = directory / "secret.pem"
        self.secret.write_text(SECRET)
        self._before = self._state()

    def _state(self) -> object:
        accessed = {path.name: path.stat().st_mtime_ns for path in self.directory.rglob("*")}
        return snapshot_of(self.directory), accessed

    def check(self) -> None:
        """Assert that nothing was written."""
        assert self._state() == self._before


class Clients:
    """Requests to all models, one after the other, all the time; what failed, and which versions answered."""

    def __init__(self, agent: AgentUnderTest, names: list[str]) -> None:
        self._agent = agent
        self._names = names
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.failures: list[str] = []
        self.answers = 0
        self.versions: set[str] = set()
        self.text = ""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for name in self._names:
                try:
                    answer = self._agent.infer(name, REQUEST)
                except OSError as error:
                    self.failures.append(f"{name}: {error}")
                    continue
                self.answers += 1
                self.versions.add(answer["model_version"])
                self.text = str(answer)
                time.sleep(0.005)


def test_a_bundle_can_only_compute(tmp_path: Path) -> None:
    canary = Canary(tmp_path / "canary")
    todo = attacks(canary.secret)
    assert len(todo) > 200
    names = [f"linear-{number:02}" for number in range(WIDTH)]
    repository = Repository(tmp_path / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    for name in names:
        repository.add_release("1.0.0", name=name)
    with serve_directory(repository.directory) as server, device(tmp_path / "device") as agent:
        agent.init(server.url, repository.metadata / "1.root.json")
        agent.start()
        wait_until(lambda: all(agent.serving(name) == "1.0.0" for name in names), 120, "all models to serve")
        with Clients(agent, names) as clients:
            for number in range(0, len(todo), WIDTH):
                deliver(tmp_path / f"round-{number}", repository, agent, dict(zip(names, todo[number : number + WIDTH], strict=False)), number + 1)
                canary.check()
                assert not clients.failures
        served = {name: agent.serving(name) for name in names}
        status = agent.command("status", "--json", "--events", 100_000).ok().json
        log = agent.log.read_text()
    assert set(served.values()) == {"1.0.0"}
    assert clients.versions == {"1.0.0"}
    assert clients.answers > 5 * len(names)
    assert not clients.failures
    assert sum(event["kind"] == "rejected" for event in status["events"]) == len(todo)
    assert SECRET not in clients.text + str(status) + log
    print(f"{len(todo)} hostile bundles refused; {clients.answers} requests answered meanwhile")


def deliver(place: Path, repository: Repository, agent: AgentUnderTest, updates: Mapping[str, Attack], number: int) -> None:
    """Publish an update of each model, and wait until the agent has refused all of them, each for its reason."""
    version = f"1.0.{number}"
    for name, attack in updates.items():
        honest = forge_bundle(place / name / "bundle", name=name, version=version, session=attack.session, graph=attack.graph)
        release = forge_release(place / name / "layout", place / name / "bundle", honest)
        refused_by_the_vendors_tools(place / name / "layout", attack)
        repository.vouch(place / name / "layout", release)
    repository.publish_targets()
    reasons = wait_until(lambda: refusals(agent, version, len(updates)), 120, f"{len(updates)} refusals of {version}")
    for name, attack in updates.items():
        assert attack.words in reasons[name], f"{attack.name}: {reasons[name]}"


def refusals(agent: AgentUnderTest, version: str, count: int) -> dict[str, str] | None:
    """Why each model's update was refused, once all were."""
    found = {row["name"]: row["reason"] for row in agent.status()["refused"] if row["version"] == version}
    return found if len(found) == count else None


def refused_by_the_vendors_tools(layout: Path, attack: Attack) -> None:
    """`sealift repo add` and `sealift verify` refuse the release too, for the same reason."""
    key = shared_key().public_key
    for check in (lambda: check_release(layout, key), lambda: artifact.verify(layout, key)):
        with pytest.raises(SealiftError) as caught:
            check()
        assert attack.words in str(caught.value), attack.name


def test_the_attacks_are_real(tmp_path: Path) -> None:
    """Handed to onnxruntime as they are, such settings write files: what is refused above is worth refusing."""
    model = Path(__file__).parents[1] / "corpus" / "models" / "linear" / "model.onnx"
    options = onnxruntime.SessionOptions()
    written = tmp_path / "written.csv"
    options.add_session_config_entry("session.collect_node_memory_stats_to_file", str(written))
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    session.run(None, {"x": _X})
    del session
    assert written.exists()
    canary = Canary(tmp_path / "canary")
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(canary.directory))
    stolen = reading(canary.secret.name, len(SECRET))
    session = onnxruntime.InferenceSession(stolen, options, providers=["CPUExecutionProvider"])
    assert session.run(None, {})[0].tobytes().decode() == SECRET


def reading(location: str, size: int) -> bytes:
    """A graph that answers with a file's bytes."""
    weight = onnx.TensorProto(name="w", dims=[size], data_type=onnx.TensorProto.UINT8, data_location=onnx.TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", str(size))):
        weight.external_data.add(key=key, value=value)
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.UINT8, [size])
    node = onnx.helper.make_node("Identity", ["w"], ["y"])
    opset = [onnx.helper.make_opsetid("", 18)]
    return bytes(
        onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [output], [weight]), opset_imports=opset, ir_version=9).SerializeToString()
    )
