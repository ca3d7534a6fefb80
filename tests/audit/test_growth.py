"""Whatever comes from outside is read in time that grows no faster than its size, and refused, if it is, by an error of ours.

Each parser is given the shapes that cost a careless one most; documents also have each of their fields replaced in turn. A parser belongs
into one of the tables here as soon as it reads what somebody else may have written.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.golden import decode_golden, decode_texts
from sealift_core.bundle.layout import INDEX_TYPE, Descriptor, parse_oci_document
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.bundle.release import Release
from sealift_core.bundle.signature import Statement, decode_signature, encode_signature
from sealift_core.bundle.tensors import DATATYPES, TensorSpec
from sealift_core.clock import parse_time
from sealift_core.drift.baseline import Baseline
from sealift_core.errors import SealiftError, nearest
from sealift_core.hardware.cpuinfo import parse_cpuinfo
from sealift_core.hardware.document import machine_json, parse_machine
from sealift_core.hardware.machine import detect_machine
from sealift_core.hardware.profile import HardwareProfile
from sealift_core.http.hosts import AllowedHosts, check_names
from sealift_core.http.urls import check_url, redacted
from sealift_core.messages.channel import Channel
from sealift_core.messages.measuring import JOB_TYPE, MeasuringAnswer, MeasuringJob, MeasuringStep, Run
from sealift_core.messages.receipt import Receipt
from sealift_core.messages.report import Report, open_report
from sealift_core.schema.documents import Document
from sealift_core.signing.dsse import Envelope
from sealift_core.signing.keys import PublicKey
from sealift_hub.repository.files import byte_range, open_public
from sealift_packager.data.files import read_data
from sealift_packager.measure.device_address import DeviceAddress
from sealift_packager.model.dynamic import parse_dynamic
from sealift_packager.torch.program_safety import _is_arithmetic, _is_operator
from sealift_runtime.agent.config import AgentConfig
from sealift_runtime.agent.initialise import parse_settings
from sealift_runtime.inference.messages import InferRequest
from sealift_runtime.inference.signature import Signature
from sealift_runtime.measuring.policy import MeasuringPolicy
from sealift_runtime.serving.decoding import RequestDecoder
from sealift_runtime.serving.endpoints import split_path
from sealift_runtime.serving.http import HttpRequest, json_length, plain_body
from sealift_runtime.serving.limits import LIMITS
from sealift_runtime.transport.locate import open_transport
from sealift_runtime.trust.metadata import ROLE_TYPES, parse
from sealift_runtime.trust.workflow import start
from sealift_runtime.update.desired import DesiredState
from sealift_runtime.update.records import Deployment, InstalledBundle
from sealift_runtime.update.select import Facts, unmet_requirements
from support.baselines import numeric_feature
from support.growth import MOST_S, Parse, check_growth, measure
from support.hostile import GZIP, JSON, TOML, Make, changed, numbered, times
from support.models import make_bundle, make_manifest, make_release, shared_key
from support.repositories import Repository
from support.serving import reader as reader_of
from support.simulated import SimulatedDevice, drift, installed, window

MIB: Final = 2**20
ANY: Final = Signature("model", "1.0.0", [TensorSpec(name="x", dtype="float32", shape=("rows",))], [])
SIMULATED: Final = SimulatedDevice(key=shared_key())
PUBLIC: Final = shared_key().public_key
MACHINE: Final = detect_machine()
INSTALLED: Final = InstalledBundle(
    name="linear", version="1.0.0", digest=Digest.of(b""), profile="x86-64", release=Digest.of(b"1"), release_size=1, directory=Path("/nowhere")
)
SERVED: Final = Deployment(name="linear", current=INSTALLED, previous=INSTALLED)
EVENT: Final[dict[str, Any]] = {"number": 1, "time": "2026-01-31T12:00:00Z", "kind": "x", "model": "", "version": "", "detail": ""}


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def tolerant(parser: Callable[[bytes], object]) -> Parse:
    """A parser that may refuse, with an error of ours and no other."""

    def run(data: bytes) -> None:
        with contextlib.suppress(SealiftError):
            parser(data)

    return run


def request(data: bytes, headers: dict[bytes, bytes] | None = None) -> HttpRequest:
    return HttpRequest("POST", b"/", headers or {}, data)


def policy_opens(data: bytes) -> object:
    policy = MeasuringPolicy(enabled=True, trusted_keys=(PUBLIC.fingerprint,), max_bytes=1, max_s=1, memory_bytes=1, reserve_bytes=1)
    return policy.open(data, JOB_TYPE)


def role_metadata(role: str, data: bytes) -> object:
    return parse(ROLE_TYPES[role], role, data)


DOCUMENTS: Final[dict[str, Callable[[bytes], object]]] = {
    "any document": lambda data: Document.parse_json(data, where="file", max_bytes=64 * MIB).schema("sealift.x", 1),
    "bundle.json": BundleManifest.parse,
    "baseline.json": Baseline.parse,
    "OCI index": lambda data: Release.parse(data, where="index"),
    "OCI manifest": lambda data: Descriptor.parse(parse_oci_document(data, where="index", media_type=INDEX_TYPE).document("config")),
    "model.sig": lambda data: decode_signature(data, PUBLIC),
    "statement": lambda data: Statement.parse(data, where="statement"),
    "DSSE envelope": lambda data: Envelope.parse(Document.parse_json(data, where="envelope", max_bytes=64 * MIB)),
    "sealed report": lambda data: open_report(data, PUBLIC, where="report"),
    "report": lambda data: Report.parse(data, where="report"),
    "receipt": lambda data: Receipt.parse(data, where="receipt"),
    "channel": lambda data: Channel.parse(data, where="channel"),
    "measuring request": policy_opens,
    "measuring job": MeasuringJob.parse,
    "measuring step": MeasuringStep.parse,
    "measuring answer": MeasuringAnswer.parse,
    "machine": lambda data: parse_machine(Document.parse_json(data, where="machine", max_bytes=16 * MIB)),
    "first root": start,
    "desired state": lambda data: DesiredState.parse(data, where="desired.json", bundles=Path("/nowhere")),
    **{f"metadata of {role}": functools.partial(role_metadata, role) for role in ROLE_TYPES},
    "inference request": lambda data: RequestDecoder().decode(ANY, data),
}


def unmet(text: str) -> object:
    manifest = make_manifest().to_bytes().replace(b'">=1.20"', json.dumps(text).encode())
    requires = BundleManifest.parse(manifest).requires
    return unmet_requirements(requires, Facts(machine=MACHINE, onnxruntime="1.22.0"))


def moment(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_time(text)


TEXTS: Final[dict[str, tuple[Callable[[str], object], tuple[str, ...]]]] = {
    "version range": (unmet, (">=1,", ">", " ", "1.", "==1.0+a.", "1", "~=1.0,", "!", ">=1.0.0rc1.post1.dev1+x,")),
    "digest": (Digest.parse, ("sha256:", "0", "0a", ":")),
    "moment": (moment, ("1", "2026-01-31T12:00:00Z", " ", "-")),
    "name with advice": (lambda text: nearest(text, [text[:-1]] * 10 + ["profile"]), ("a", "ab", "profile")),
    "address": (lambda text: check_url(text, where="hub", what="a hub"), ("http://a/", "a", "@", "http://a:1@", "http://[", ":", "/", "#")),
    "address of a repository": (lambda text: open_transport("https://" + text), ("a", "@", "/a", ":", "?", "[")),
    "address that is shown": (redacted, ("http://a@", "@", "://", "/", "?", "#")),
    "address of a device": (lambda text: DeviceAddress.parse("http://" + text), ("a", "/", "a/", "#", "#0a", "=", "pi=http://")),
    "names of hosts": (lambda text: check_names([text], where="hosts"), ("a", "a.", "-", "1.", ":", "a-")),
    "Host": (lambda text: text.encode() in AllowedHosts("127.0.0.1"), ("a", "a.", "[", "]", ":1", "1.", "::")),
    "target of a request": (lambda text: split_path(text.encode()), ("/a", "/", "%41", "%", "http://", "/%2f", "?a=b&", "#")),
    "range": (lambda text: byte_range(text, 1000), ("bytes=0-1,", "1", "bytes=", "-", " ")),
    "path in a repository": (lambda text: open_public(Path("/nowhere"), "metadata/" + text), ("a", "../", ".json", "a.", "/")),
    "cpuinfo": (parse_cpuinfo, ("flags: a b c\n", "flags: ", "a ", ":", "model name : x\n", "\n", "processor: 1\nflags: a\n\n")),
    "setting": (lambda text: parse_settings(["source.repository=" + text]), ("a", '"', "[", "{a=", "'", "a.")),
    "dynamic axis": (lambda text: parse_dynamic([text]), ("a", ":1", "a:1=", "=", ":")),
    "expression of a program": (
        _is_arithmetic,
        ("s0+", "(", "-", "s0*(", "1,", "L['x'].", "~", " ", "9", "max(", "not ", "1 if 1 else "),
    ),
    "operator of a program": (_is_operator, ("torch.ops.aten.", "a", ".", "save ", "torch.ops.higher_order.")),
    "header of a length": (lambda text: json_length(request(b"", {b"inference-header-content-length": text.encode()})), ("1", "a")),
    "PEM": (lambda text: PublicKey.from_pem(text.encode()), ("-----BEGIN PUBLIC KEY-----\n", "A", "AAAA\n", "-", "-----END PUBLIC KEY-----\n")),
}


#: The parsers of JSON that there are; all other documents are read by the first, and then look for their fields.
PARSERS: Final = ("any document", "sealed report", "metadata of targets", "inference request")
NAMES: Final = tuple(shape for shape in JSON if "names like" in shape)
CASES: Final = [(name, shape) for name in DOCUMENTS for shape in (JSON if name in PARSERS else NAMES)]


@pytest.fixture(scope="module", autouse=True)
def little_garbage() -> Iterator[None]:
    """What was imported is left out when garbage is collected, or most of the time would go there."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_a_json_document_of_any_shape_is_read_in_linear_time(name: str, shape: str) -> None:
    check_growth(JSON[shape], tolerant(DOCUMENTS[name]), most_bytes=MIB)


@pytest.mark.parametrize("shape", TOML)
def test_toml_of_any_shape_is_read_in_linear_time(shape: str) -> None:
    check_growth(TOML[shape], tolerant(lambda data: Document.parse_toml(data, where="file", max_bytes=MIB)), most_bytes=MIB)


@pytest.mark.parametrize("shape", TOML)
@pytest.mark.parametrize("reader", [AgentConfig.parse, HardwareProfile.parse_toml])
def test_agent_toml_and_profiles_of_any_shape_are_read_in_linear_time(reader: Callable[..., object], shape: str) -> None:
    check_growth(TOML[shape], tolerant(lambda data: reader(data, where="file")), most_bytes=64 * 1024)


@pytest.mark.parametrize("unit", [pytest.param((name, unit), id=f"{name}: {unit!r}") for name, (_, units) in TEXTS.items() for unit in units])
def test_a_text_of_any_shape_is_read_in_linear_time(unit: tuple[str, str]) -> None:
    name, again = unit
    parser = TEXTS[name][0]
    for after in (b"", b"!", b"\n"):
        check_growth(times(again.encode(), after=after), tolerant(lambda data: parser(text_of(data))), most_bytes=256 * 1024)


def templates(folder: Path) -> dict[str, Any]:
    """A valid document for each parser that is given its fields one by one."""
    bundle = make_bundle(folder / "bundle")
    layout = folder / "layout"
    make_release(layout, folder / "bundle")
    released = json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]
    release = json.loads((layout / "blobs/sha256" / released.removeprefix("sha256:")).read_bytes())
    feature = numeric_feature("x[0]", "x", np.arange(100, dtype=np.float32))
    baseline = Baseline(rows=100, features=(feature,), expected_windows_between_false_alarms=2160)
    statement = Statement(name="linear", resources={"bundle.json": Digest.of(b"")})
    report = SIMULATED.report(models=[installed()], windows=[window(features=[drift("a", 0.2)], failures={"model": 1})])
    digest = Digest.of(b"")
    run = Run(name="fp32", model=digest, threads=1, graph_optimization="all", config={})
    step = MeasuringStep(job="0" * 32, number=1, kind="latency", inputs=digest, runs=(run,), seconds=1)
    job = MeasuringJob(device="0" * 64, nonce="0" * 32, files={digest: 1})
    answer = MeasuringAnswer(job="0" * 32, number=1, samples_ms={"fp32": (1.0, 2.0)})
    envelope = Envelope.sign(JOB_TYPE, job.payload(), shared_key()).json()
    opened = Envelope.parse(Document(json.loads(report), "report")).payload
    return {
        "bundle.json": json.loads(bundle.to_bytes()),
        "baseline.json": json.loads(baseline.to_bytes()),
        "OCI index": release,
        "model.sig": json.loads(encode_signature(statement, shared_key())),
        "statement": json.loads(statement.to_bytes()),
        "DSSE envelope": envelope,
        "sealed report": json.loads(report),
        "report": json.loads(opened) | {"events": [EVENT]},
        "receipt": json.loads(Receipt(device="0" * 64, acknowledged=1).to_bytes()),
        "channel": json.loads(Channel(models={"linear": "1.0.0"}).to_bytes()),
        "measuring request": {"key": PUBLIC.pem().decode(), "envelope": envelope},
        "measuring job": json.loads(job.payload()),
        "measuring step": json.loads(step.payload()),
        "measuring answer": json.loads(answer.payload()),
        "machine": machine_json(MACHINE),
        "desired state": DesiredState(generation=1, models=(SERVED,), updates=("linear 1.0.0",)).json(),
        **metadata(folder / "repository"),
    }


def metadata(folder: Path) -> dict[str, Any]:
    repository = Repository(folder)
    repository.add_release()
    names = {role: max(repository.metadata.glob(f"*{role}.json"), key=lambda path: path.stat().st_mtime_ns) for role in ROLE_TYPES}
    return {f"metadata of {role}": json.loads(path.read_bytes()) for role, path in names.items()}


FIELDS: Final = sorted(set(DOCUMENTS) - {"any document", "OCI manifest", "first root", "inference request"})


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return templates(tmp_path_factory.mktemp("documents"))


@pytest.mark.parametrize("name", FIELDS)
def test_a_document_with_any_of_its_fields_replaced_is_read_in_linear_time(documents: dict[str, Any], name: str) -> None:
    DOCUMENTS[name](json.dumps(documents[name], indent=2, sort_keys=True).encode() + b"\n") if name != "measuring request" else None
    for case, make in changed(documents[name]):
        try:
            check_growth(make, tolerant(DOCUMENTS[name]), first_bytes=32 * 1024, most_bytes=128 * 1024, least_s=0.02)
        except Exception as error:
            raise AssertionError(f"{name}: {case}: {type(error).__name__}: {error}") from error


# --- bodies of requests


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
@pytest.mark.parametrize("shape", GZIP)
def test_a_compressed_body_of_any_shape_is_read_in_linear_time(shape: str, encoding: bytes) -> None:
    headers = {b"content-encoding": encoding}
    check_growth(GZIP[shape], tolerant(lambda data: plain_body(request(data, headers), LIMITS)), most_bytes=16 * MIB, least_s=0.05)


def body_reader(dtype: str, *shape: int | str) -> Callable[..., InferRequest]:
    return reader_of([TensorSpec(name="x", dtype=dtype, shape=shape or ("rows",))])


def x(data: bytes, shape: bytes = b"[1]", datatype: bytes = b"FP32", more: bytes = b"") -> bytes:
    return b'{"inputs":[{"name":"x","shape":%b,"datatype":"%b","data":%b}%b]}' % (shape, datatype, data, more)


DATA: Final[dict[str, Make]] = {
    "numbers": times(b"0,", b"[", b"0]"),
    "fractions": times(b"0.1234567,", b"[", b"0]"),
    "numbers and a long text": lambda n: b"[" + b"0," * (n // 4) + b'"' + b"a" * (n // 2) + b'"]',
    "short texts and a long one": lambda n: b"[" + b'"",' * (n // 6) + b'"' + b"a" * (n // 2) + b'"]',
    "nested texts and a long one": lambda n: b"[" + b'[""],' * (n // 10) + b'["' + b"a" * (n // 2) + b'"]]',
    "words": times(b'"NaN",', b"[", b"0]"),
    "NaN": times(b"NaN,", b"[", b"0]"),
    "nulls": times(b"null,", b"[", b"0]"),
    "booleans": times(b"true,", b"[", b"true]"),
    "rows": times(b"[1,2,3,4],", b"[", b"[1,2,3,4]]"),
    "rows of other lengths": times(b"[1,2],[3],", b"[", b"[1]]"),
    "empty rows": times(b"[],", b"[", b"[]]"),
    "tables": times(b"{},", b"[", b"{}]"),
    "deep": lambda n: b"[" * (n // 2) + b"]" * (n // 2),
    "many deep": times(b"[" * 30 + b"]" * 30 + b",", b"[", b"0]"),
    "large integers": times(b"18446744073709551615,", b"[", b"1]"),
    "larger integers": times(b"184467440737095516150,-1,", b"[", b"NaN]"),
    "long integers": times(b"7" * 4000 + b",", b"[", b"NaN]"),
    "a text": times(b"a", b'"', b'"'),
}


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "uint64", "bool", "string"])
@pytest.mark.parametrize("shape", DATA)
def test_values_of_any_shape_are_read_in_linear_time(shape: str, dtype: str) -> None:
    read = body_reader(dtype)
    make = DATA[shape]
    check_growth(lambda n: x(make(n), datatype=DATATYPES[dtype].encode()), tolerant(read), most_bytes=2 * MIB)


def sized(size: bytes) -> bytes:
    return b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":%b}}]}' % size


HEADS: Final[dict[str, Make]] = {
    "a long id": lambda n: b'{"id":"' + b"a" * n + b'",' + x(b"[1]")[1:],
    "an id that is a list": lambda n: b'{"id":[' + b"0," * (n // 2) + b"0]," + x(b"[1]")[1:],
    "a long shape": lambda n: x(b"[1]", b"[" + b"1," * (n // 2) + b"1]"),
    "a shape of texts": lambda n: x(b"[1]", b"[" + b'"1",' * (n // 4) + b"1]"),
    "a long datatype": lambda n: x(b"[1]", datatype=b"FP32" * (n // 4)),
    "one input again and again": lambda n: x(b"[1]", more=b',{"name":"x","shape":[1],"datatype":"FP32","data":[1]}' * (n // 54)),
    "inputs that are not there": lambda n: b'{"inputs":[' + b",".join(b'{"name":"y%d"}' % i for i in range(n // 16)) + b"]}",
    "a long name": lambda n: b'{"inputs":[{"name":"' + b"x" * n + b'"}]}',
    "many outputs": lambda n: b'{"outputs":[' + b'{"name":"y"},' * (n // 13) + b"0]," + x(b"[1]")[1:],
    "many parameters": lambda n: b'{"parameters":{' + b",".join(b'"p%d":0' % i for i in range(n // 10)) + b"}," + x(b"[1]")[1:],
    "parameters of an input": lambda n: (
        b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":"' + b"1" * n + b'"}}]}'
    ),
    "binary data of a long size": lambda n: (
        b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":' + b"1" * n + b"}}]}"
    ),
}


@pytest.mark.parametrize("shape", HEADS)
def test_a_request_of_any_shape_is_read_in_linear_time(shape: str) -> None:
    check_growth(HEADS[shape], tolerant(body_reader("float32")), most_bytes=2 * MIB)


@pytest.mark.parametrize("unit", [b"\0\0\0\0", b"\x01\0\0\0a", b"\xff\xff\xff\xff", b"\x02\0\0\0\xff\xff", b"\x04\0\0\0abcd"])
def test_texts_in_binary_form_are_read_in_linear_time(unit: bytes) -> None:
    check_growth(times(unit), tolerant(lambda data: decode_texts(data, where="input")), most_bytes=2 * MIB)


# --- files


def safetensors(header: Make) -> Make:
    return lambda n: len(header(n)).to_bytes(8, "little") + header(n)


@pytest.mark.parametrize("shape", [*JSON, "tensors", "metadata"])
def test_golden_cases_of_any_shape_are_read_in_linear_time(shape: str) -> None:
    tensors = {
        "tensors": numbered('"t%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}', "{", "}"),
        "metadata": numbered('"k%d":"v"', '{"__metadata__":{', "}}"),
    }
    manifest = make_manifest()
    make = safetensors(tensors.get(shape) or JSON[shape])
    check_growth(make, tolerant(lambda data: decode_golden(data, manifest.inputs, manifest.outputs, 100)), most_bytes=MIB)


CSV: Final[dict[str, Make]] = {
    "rows": times(b"1,2,3\n", b"a,b,c\n"),
    "one column": times(b"1\n", b"a\n"),
    "many columns": lambda n: b",".join(b"c%d" % i for i in range(n // 12)) + b"\n" + b"1," * (n // 12 - 1) + b"1\n",
    "columns of one name": lambda n: b"a," * (n // 5) + b"a\n" + b"1," * (n // 5) + b"1\n",
    "quotes": times(b'"', b"a,b\n1,"),
    "doubled quotes": times(b'""', b'a,b\n1,"', b'"\n'),
    "long text": times(b"x", b"a,b\n1,", b"\n"),
    "long number": times(b"7", b"a,b\n1,", b"\n"),
    "texts": numbered("t%d,1", "a,b\n", "\n", "\n"),
    "mixed": times(b"1\nx\n", b"a\n", b"1\n"),
    "lines": times(b"\n", b"a\n"),
    "ragged": times(b"1\n1,2\n", b"a\n"),
    "moments": times(b"2026-01-31T12:00:00Z\n", b"a\n"),
}


@pytest.mark.parametrize("shape", CSV)
def test_a_csv_of_any_shape_is_read_in_linear_time(shape: str, tmp_path: Path) -> None:
    def read(data: bytes) -> None:
        (tmp_path / "data.csv").write_bytes(data)
        with contextlib.suppress(SealiftError):
            read_data(tmp_path / "data.csv")

    check_growth(CSV[shape], read, most_bytes=MIB)


@pytest.mark.parametrize("columns", [True, False], ids=["columns", "rows"])
def test_a_parquet_file_is_read_in_linear_time(columns: bool, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")

    def make(n: int) -> bytes:
        table = pa.table({f"c{i}": [1.0] for i in range(n // 400)} if columns else {"a": list(range(n // 4))})
        with tempfile.NamedTemporaryFile() as file:
            parquet.write_table(table, file.name)
            return Path(file.name).read_bytes()

    def read(data: bytes) -> None:
        (tmp_path / "data.parquet").write_bytes(data)
        read_data(tmp_path / "data.parquet")

    check_growth(make, read, most_bytes=MIB)


# --- the measurement itself, by a clock of its own: a busy machine's says that 16 is 8 now and then


class Work:
    """A parser that does as much work as ``cost`` says for an input of so many bytes, and the clock of that work."""

    def __init__(self, cost: Callable[[int], float]) -> None:
        self._cost = cost
        self._done_s = 0.0

    def parse(self, data: bytes) -> None:
        self._done_s += self._cost(len(data))

    def clock(self) -> float:
        return self._done_s


def check(cost: Callable[[int], float], *, most_bytes: int = 4 * MIB) -> None:
    work = Work(cost)
    check_growth(times(b"x"), work.parse, most_bytes=most_bytes, clock=work.clock)


def test_a_quadratic_parser_is_noticed() -> None:
    with pytest.raises(AssertionError, match="grows too fast"):
        check(lambda n: 1e-10 * n * n)


def test_a_parser_that_takes_long_for_the_least_input_is_noticed() -> None:
    with pytest.raises(AssertionError, match="bytes took"):
        check(lambda n: 11.0 + 1e-9 * n)


def test_a_linear_parser_is_not() -> None:
    check(lambda n: 2e-7 * n)
    check(lambda n: 2e-8 * n * np.log2(n))


def test_the_time_that_is_measured_is_that_of_this_thread() -> None:
    growth = measure(times(b"0,", b"[", b"0]"), json.loads, MIB)
    assert all(0 < taken < MOST_S for taken in growth.times)
