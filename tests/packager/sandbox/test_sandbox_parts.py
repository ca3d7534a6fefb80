"""What lies between a build and the process that holds the key: messages, notes, errors, files, questions; whatever the other side does."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as some

from sealift_core import errors as runtime_errors
from sealift_core.errors import KeyFileError, SealiftError
from sealift_core.signing.keys import PrivateKey
from sealift_packager import errors as packager_errors
from sealift_packager.build.files import MAX_WEIGHT_FILES, model_files, readable, runs_own_code
from sealift_packager.build.isolated import _Listener
from sealift_packager.build.request import PackRequest
from sealift_packager.build.services import Services
from sealift_packager.cache.store import StageStore
from sealift_packager.errors import PackagerError, SourceModelError
from sealift_packager.keys import key_file
from sealift_packager.keys.key_file import KeyFile
from sealift_packager.sandbox import process
from sealift_packager.sandbox.activity import ANSWERING, CONVERTING, NOTHING, Monitor, during, during_all, monitoring, noting_answers, reading
from sealift_packager.sandbox.failures import BuildFaultError, decode_failure, encode_failure
from sealift_packager.sandbox.frames import MAX_LINE_BYTES, Decoder, FrameError, Message
from sealift_packager.sandbox.page import Page
from sealift_packager.sandbox.process import Start, run_worker
from support import graphs
from support.packing import elsewhere

ERRORS = [class_ for module in (runtime_errors, packager_errors) for class_ in vars(module).values() if isinstance(class_, type)]


class Board:
    """Remembers what is noted."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, float]] = []

    def show(self, activity: Any, rows: int, limit_s: float, deadline: float) -> None:  # noqa: ARG002
        self.seen.append((activity.late, deadline - time.monotonic()))


def request(model: Path, **changes: Any) -> PackRequest:
    return PackRequest(model=model, name="model", version="1.0.0", profiles=(elsewhere(),), out=model.parent / "out", **changes)


@given(some.lists(some.tuples(some.dictionaries(some.text(), some.integers() | some.text()), some.binary()), max_size=5), some.integers(1, 50))
def test_messages_come_out_as_they_went_in_whatever_the_pieces(sent: list[tuple[dict[str, Any], bytes]], size: int) -> None:
    fields = [({name: value for name, value in message.items() if name != "size"}, blob) for message, blob in sent]
    stream = b"".join(Message(message, blob).encode() for message, blob in fields)
    decoder = Decoder()
    messages = [message for at in range(0, len(stream), size) for message in decoder.feed(stream[at : at + size])]
    assert [(message.fields, message.blob) for message in messages] == fields


@given(some.binary(max_size=200))
def test_any_bytes_are_messages_or_our_error(data: bytes) -> None:
    with contextlib.suppress(FrameError):
        list(Decoder().feed(data))


def test_an_endless_line_is_refused_and_costs_no_more_than_its_length() -> None:
    decoder, start = Decoder(), time.process_time()
    with pytest.raises(FrameError, match="too long"):
        for _ in range(MAX_LINE_BYTES // 16 + 2):
            list(decoder.feed(b"x" * 16))
    assert time.process_time() - start < 5


@pytest.mark.parametrize("size", ["-1", "1e3", "true", '"1"', str(2**60), "null"])
def test_a_size_that_is_none_is_refused(size: str) -> None:
    with pytest.raises(FrameError):
        list(Decoder().feed(f'{{"size": {size}}}\n'.encode()))


def test_a_note_is_read_as_it_was_written() -> None:
    page = Page.create()
    assert page.read() == NOTHING
    for activity in (ANSWERING, reading("xgboost"), CONVERTING):
        page.show(activity, 7, 12.5, 99.0)
        note = page.read()
        assert (note.activity, note.rows, note.limit_s, note.deadline) == (activity, 7, 12.5, 99.0)
    page.close()


@given(some.binary(min_size=1, max_size=200))
def test_nonsense_on_the_page_is_a_note_without_harm(data: bytes) -> None:
    page = Page.create()
    os.pwrite(page.descriptor, data, 0)
    page.read()
    page.close()


@pytest.mark.parametrize("class_", [class_ for class_ in ERRORS if issubclass(class_, SealiftError)])
def test_every_error_of_ours_crosses_with_its_words(class_: type[SealiftError]) -> None:
    error = class_("wrong", where="here", expected="a", found="b", advice="Do c.")
    back = decode_failure(json.loads(json.dumps(encode_failure(error))))
    assert type(back) is class_
    assert str(back) == str(error)


def test_other_errors_cross_too() -> None:
    missing = decode_failure(encode_failure(FileNotFoundError(2, "No such file or directory", "gone")))
    assert isinstance(missing, FileNotFoundError)
    assert missing.filename == "gone"
    fault = decode_failure(encode_failure(ZeroDivisionError("by zero")))
    assert isinstance(fault, BuildFaultError)
    assert "ZeroDivisionError: by zero" in str(fault)
    assert str(decode_failure({"kind": "SystemExit", "message": 3, "where": ["x"]})) == "3"


def test_limits_are_for_each_answer_and_grow_with_rows_that_take_long() -> None:
    board = Board()
    with monitoring(Monitor(board, 100.0)):
        noting_answers(lambda _: time.sleep(0.05))({"x": np.zeros((1, 2))})
        noting_answers(lambda _: None)({"x": np.zeros((1000, 2))})
    assert board.seen[0][1] == pytest.approx(100, abs=1)
    assert board.seen[1][1] == math.inf
    assert board.seen[2][1] > 100 + 1000 * 0.05 * 9


def test_a_part_of_an_activity_ends_with_it_and_nothing_is_noted_of_what_is_timed() -> None:
    board = Board()
    with monitoring(Monitor(board, 10.0)), during(CONVERTING):
        with during(ANSWERING, rows=1, more_s=1000):
            assert board.seen[-1][0] == ANSWERING.late
            assert board.seen[-1][1] == pytest.approx(10, abs=1)
        with during_all(ANSWERING):
            count = len(board.seen)
            with during(ANSWERING):
                assert len(board.seen) == count
        assert board.seen[-1][0] == CONVERTING.late


def external(folder: Path, *names: str) -> Path:
    """A graph whose weights are said to be in these files."""
    weights = []
    for number, name in enumerate(names):
        tensor = graphs.constant(f"w{number}", np.ones(2, np.float32))
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=name)
        weights.append(tensor)
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    model = graphs.model([node], [graphs.value("x", [2])], [graphs.value("y", [2])], weights)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder / "model.onnx"


def test_a_model_s_files_are_its_graph_and_weights_in_its_folder_and_no_hidden_ones(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for name in ("model/a.bin", "model/deep/b.bin", "model/.ssh/id_ed25519", "outside.bin"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(8))
    (folder / "link.bin").symlink_to(tmp_path / "outside.bin")
    names = ("a.bin", "deep/b.bin", ".ssh/id_ed25519", "../outside.bin", "link.bin", str(tmp_path / "outside.bin"), "missing.bin", "deep", "a" * 5000)
    files = model_files(external(folder, *names))
    assert set(files) == {folder / "model.onnx", folder / "a.bin", folder / "deep" / "b.bin"}


def test_very_many_files_of_weights_are_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    names = [f"{number}.bin" for number in range(MAX_WEIGHT_FILES + 1)]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    assert model_files(external(tmp_path, *names))[1:] == (tmp_path,)
    monkeypatch.setenv("HOME", str(tmp_path))  # where everything else is too
    assert len(model_files(external(tmp_path, *names))) == 1 + MAX_WEIGHT_FILES


def test_a_metric_in_the_home_folder_shows_its_modules_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("metric.py", "beside.py", "package/__init__.py", ".ssh/id_ed25519", "model.onnx"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    paths = readable(request(tmp_path / "model.onnx", data=tmp_path / "x.csv", metric=f"{tmp_path}/metric.py:f"))
    expected = {tmp_path / name for name in ("model.onnx", "x.csv", "metric.py", "beside.py", "package")}
    assert set(paths) == expected


@pytest.mark.parametrize(
    ("head", "options", "runs"),
    [
        (b"\x80\x04", {"trust_pickle": True}, True),
        (b"PK\x03\x04", {"trust_pickle": True}, True),
        (b"\x80\x04", {}, False),
        (b"\x08\x0a", {"trust_pickle": True}, False),
        (b"CBM1", {"trust_pickle": True}, False),
        (b"PK\x03\x04", {"trust_pickle": True, "format": "onnx"}, False),
        (b"\x08\x0a", {"factory": "net.py:build"}, True),
    ],
)
def test_only_what_runs_a_person_s_own_code_has_no_walls(tmp_path: Path, head: bytes, options: dict[str, Any], runs: bool) -> None:
    (tmp_path / "model").write_bytes(head)
    assert runs_own_code(request(tmp_path / "model", **options)) is runs


def ask(services: Services, name: str, blob: bytes = b"", **fields: Any) -> Message:
    return services.answer(Message({"ask": name, **fields}, blob))


def test_what_one_model_caches_no_other_one_sees(tmp_path: Path) -> None:
    store = StageStore(tmp_path / "cache")
    build, key = request(tmp_path / "model.onnx"), hashlib.sha256(b"a stage").hexdigest()
    first, second = (Services(build, tmp_path, store, space) for space in ("first", "second"))
    ask(first, "cache write", b"poisoned", key=key)
    assert ask(first, "cache read", key=key).blob == b"poisoned"
    assert not ask(second, "cache read", key=key).fields["there"]
    assert store.read(key) is None
    for wrong in ("../../x", key.upper(), key[:-1], ""):
        with pytest.raises(FrameError):
            ask(first, "cache write", b"", key=wrong)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("give me the key", {}),
        ("footprint", {"model": "/etc/passwd", "inputs": "/etc/passwd", "threads": 1, "graph_optimization": "all", "entries": {}, "model_bytes": 1}),
        ("emulate", {"folder": "..", "entries": {}, "processor": {"arch": "x86_64", "flag": "", "cpu": "Haswell"}}),
        ("emulate", {"folder": ".", "entries": {}, "processor": {"arch": "x86_64", "flag": "", "cpu": "max; touch x"}}),
        ("device begin", {"address": {"url": "http://127.0.0.1:1", "device": "", "profile": None}}),
        ("device latency", {"inputs": "sha256:" + "0" * 64, "runs": [], "seconds": 1, "rounds": [1, 2]}),
        ("device file", {"digest": "sha256:" + "0" * 64}),
    ],
)
def test_what_a_build_may_not_ask_for_is_refused(tmp_path: Path, name: str, fields: dict[str, Any]) -> None:
    with pytest.raises(FrameError), Services(request(tmp_path / "model.onnx"), tmp_path, None, None) as services:
        ask(services, name, **fields)


@pytest.mark.parametrize("entries", [{"session.optimized_model_external_initializers_file_name": "x"}, {"session.disable_quant_qdq": "x"}])
def test_a_session_entry_that_could_write_is_refused(tmp_path: Path, entries: dict[str, str]) -> None:
    (tmp_path / "m").write_bytes(b"")
    fields: dict[str, Any] = {
        "model": str(tmp_path / "m"),
        "inputs": str(tmp_path / "m"),
        "threads": 1,
        "graph_optimization": "all",
        "model_bytes": 1,
    }
    answer = ask(Services(request(tmp_path / "m"), tmp_path, None, None), "footprint", entries=entries, **fields)
    assert isinstance(decode_failure(answer.fields), SealiftError)
    assert "session" in answer.fields["where"] or "session" in answer.fields["message"]


@pytest.fixture
def strange(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are strange ones."""
    monkeypatch.setattr(process, "WORKER", "support.strange_worker")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def run(way: str, tmp_path: Path, output: list[str] | None = None) -> bytes:
    with Services(request(tmp_path / "m"), tmp_path, None, None) as services:
        start = Start(confinement=None, say=(output if output is not None else []).append)
        return run_worker(way.encode(), start, model="model.onnx", answer=services.answer).data


@pytest.mark.usefixtures("strange")
@pytest.mark.parametrize(
    ("way", "class_", "words"),
    [
        ("noise", PackagerError, "model.onnx: the build process sent an invalid message: found a line is not JSON"),
        ("endless line", PackagerError, "a line is too long"),
        ("huge", PackagerError, "a line is not a message's"),
        ("asks and never listens", PackagerError, "a question before the last one's answer was read"),
        ("unknown question", PackagerError, "no such question"),
        ("a late note in braces", SourceModelError, r"model.onnx: \{rows.__class__\} \{x\} 0 s"),
        ("crash", PackagerError, "model.onnx: the build process crashed: found SIGSEGV"),
        ("exit", PackagerError, "found .*its last words"),
    ],
)
def test_whatever_a_worker_does_is_a_clear_error(way: str, class_: type[Exception], words: str, tmp_path: Path) -> None:
    with pytest.raises(class_, match=words):
        run(way, tmp_path)


@pytest.mark.usefixtures("strange")
def test_a_worker_can_t_take_the_memory_away_that_its_notes_are_read_from(tmp_path: Path) -> None:
    assert run("cuts the page", tmp_path) == b"EPERM EPERM"


@pytest.mark.usefixtures("strange")
def test_what_is_printed_last_is_passed_on(tmp_path: Path) -> None:
    output: list[str] = []
    with pytest.raises(PackagerError):
        run("exit", tmp_path, output)
    assert output == ["\x1b[2Jits last words"]


@pytest.mark.usefixtures("strange")
def test_what_a_worker_started_ends_with_it(tmp_path: Path) -> None:
    group = int(run("leaves a child", tmp_path))
    alive = [path for path in Path("/proc").glob("[0-9]*/stat") if f" {group} {group} " in _text(path) and ") Z" not in _text(path)]
    assert not alive


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def test_a_key_file_is_opened_when_it_signs_and_not_before(tmp_path: Path) -> None:
    key, path = PrivateKey.generate(), tmp_path / "key.pem"
    key.save(path, b"second")
    checked = KeyFile.check(path, [b"first", b"second"])
    assert checked.public_key.pem() == key.public_key.pem()
    assert "second" not in repr(checked)
    path.rename(tmp_path / "away.pem")
    with pytest.raises(KeyFileError, match="can't be read"):
        checked.sign(b"message")
    (tmp_path / "away.pem").rename(path)
    assert checked.sign(b"message") == key.sign(b"message")


def test_a_key_that_can_t_be_read_in_time_is_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PrivateKey.generate().save(tmp_path / "key.pem")
    monkeypatch.setattr(key_file, "TIMEOUT_S", 0.01)  # less than an interpreter takes to start
    with pytest.raises(KeyFileError, match=r"key\.pem: the key can't be read within 0 s: expected a file"):
        KeyFile.check(tmp_path / "key.pem")


class Shown:
    """Progress that remembers which stages are shown, and how each ended."""

    def __init__(self) -> None:
        self.now: list[str] = []
        self.ended: list[tuple[str, str]] = []

    @contextlib.contextmanager
    def stage(self, title: str) -> Iterator[None]:
        self.now.append(title)
        try:
            yield
        except BaseException as error:
            self.ended.append((title, type(error).__name__))
            raise
        else:
            self.ended.append((title, "done"))
        finally:
            self.now.remove(title)

    def cached(self, title: str) -> None:
        self.ended.append((title, "cached"))


def test_a_build_that_fails_ends_the_stages_that_were_shown_the_innermost_first(tmp_path: Path) -> None:
    progress, services = Shown(), Services(request(tmp_path / "m"), tmp_path, None, None)
    with pytest.raises(SourceModelError, match="broke"), _Listener(progress, services) as listener:
        listener.hear(Message({"stage": "begin", "title": "Read"}))
        listener.hear(Message({"stage": "end"}))
        listener.hear(Message({"stage": "begin", "title": "Build"}))
        listener.hear(Message({"stage": "begin", "title": "Measure"}))
        assert progress.now == ["Build", "Measure"]
        raise SourceModelError("the model broke")
    assert progress.now == []
    assert progress.ended == [("Read", "done"), ("Measure", "SourceModelError"), ("Build", "SourceModelError")]


def test_a_build_that_ends_well_shows_no_stage_any_more_whatever_it_left_open(tmp_path: Path) -> None:
    progress, services = Shown(), Services(request(tmp_path / "m"), tmp_path, None, None)
    with _Listener(progress, services) as listener:
        listener.hear(Message({"stage": "end"}))  # of none
        listener.hear(Message({"stage": "begin", "title": "Build"}))
    assert (progress.now, progress.ended) == ([], [("Build", "done")])


def test_somebody_is_asked_once_for_a_passphrase_that_nobody_gave(tmp_path: Path) -> None:
    path, questions = tmp_path / "key.pem", list[str]()
    PrivateKey.generate().save(path, b"secret")

    def answer(error: KeyFileError) -> bytes:
        questions.append(str(error))
        return b"secret"

    assert KeyFile.check(path, ask=answer).passphrase == b"secret"
    assert len(questions) == 1
    with pytest.raises(KeyFileError, match="the passphrase is wrong"):
        KeyFile.check(path, ask=lambda _: b"guess")
    (tmp_path / "none.pem").write_text("no key")
    with pytest.raises(KeyFileError, match="not a PEM private key"):
        KeyFile.check(tmp_path / "none.pem", ask=lambda _: pytest.fail("it isn't encrypted"))
