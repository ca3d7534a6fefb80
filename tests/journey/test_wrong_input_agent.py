"""What ``sealift-agent`` says to a mistake, and how a device lives on without its disk, its hub, its repository or its files."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support.agents import AgentUnderTest, device, wait_until
from support.cli import Ran, call, run
from support.hub import COMMAND, running_hub
from support.small_disk import small_disk
from support.workshop import assert_refused, refused_as_json, workshop


def agent(home: Path, *words: object, cwd: Path | None = None) -> Ran:
    """A verb; what it would run for long gets a process."""
    return (run if words[0] == "run" else call)("sealift-agent", *words, "--home", home, cwd=cwd)


def init(home: Path, *words: object) -> Ran:
    work = workshop()
    return agent(home, "init", "--repo", work / "repo", "--root", work.root, *words)


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A device that has its model; commands that change nothing use it as it is."""
    home = tmp_path_factory.mktemp("synced") / "home"
    init(home, "--set", "timing.probation_s=0").ok()
    agent(home, "sync").ok()
    return home


@pytest.fixture
def copied_home(tmp_path: Path) -> Path:
    """A device of the test's own that has its model."""
    home = tmp_path / "home"
    init(home, "--set", "timing.probation_s=0").ok()
    agent(home, "sync").ok()
    return home


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize("verb", ["sync", "run", "status", "infer x", "rollback x", "doctor", "import {here}", "export {here}"])
def test_a_device_that_is_not_initialised(tmp_path: Path, verb: str) -> None:
    place = workshop() / "repo" if verb.startswith("import") else tmp_path
    message = f"error: {tmp_path}/none: not initialised: expected an agent.toml. Run sealift-agent init --repo URL-or-DIR --root root.json"
    assert_refused(agent(tmp_path / "none", *verb.format(here=place).split()), 3, message)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--root", "no.json"], 3, "error: no.json: the root of trust can't be read (No such file or directory). Pass metadata/root.json of"),
        (["--root", __file__], 4, "metadata/root.json: not "),
        (["--repo", "ftp://x/y"], 3, "not a kind of address that Sealift reads from: expected http://…, https://… or a directory."),
        (["--channel", "st/x"], 3, "source.channel: malformed: expected a text matching"),
        (["--hub", "hub.local"], 3, "agent.toml: hub.url: not the address of a hub: expected http://HOST/PATH"),
        (["--hub", "https://me:pw@hub.local"], 3, "agent.toml: hub.url: https://hub.local: an address must not hold a password. Put it into"),
        (["--repo", "https://me:pw@host/x"], 3, "source.repository: https://host/x: an address must not hold a password. Put it into ~/.netrc"),
        (["--set", 'serving.hosts=["http://a"]'], 3, "agent.toml: serving.hosts: not the name of a host: expected like models.example.org"),
        (["--ca-file", "no.pem"], 3, "no.pem: the CA file can't be read (No such file or directory)"),
        (["--ca-file", __file__], 3, "not a CA certificate: expected certificates in PEM form"),
        (["--set", "timing.pol_s=3"], 3, "error: --set timing.pol_s=3: no such setting: expected one of device.name, hub.key,"),
        (["--set", "timing.pol_s=3"], 3, "Did you mean 'timing.poll_s'?"),
        (["--set", "timing.poll_s"], 3, "error: --set timing.poll_s: no value: expected timing.poll_s=VALUE"),
        (["--set", "timing.poll_s=abc"], 3, "agent.toml: timing.poll_s: wrong type: expected a number, found a text"),
        (["--set", "serving.port=99999"], 3, "agent.toml: serving.port: out of range: expected 0 to 65535, found 99999"),
    ],
)
def test_an_option_of_init_that_is_wrong_leaves_nothing(tmp_path: Path, words: list[str], code: int, message: str) -> None:
    assert_refused(init(tmp_path / "home", *words), code, message)
    assert not (tmp_path / "home").exists()


OTHER_ROOT = "metadata/1.root.json: this is another repository than the one that this device was set up with"


def test_another_root_than_the_device_trusts(synced: Path, tmp_path: Path) -> None:
    call("sealift", "repo", "init", tmp_path / "foreign").ok()
    root = tmp_path / "foreign" / "metadata" / "root.json"
    assert_refused(init(synced, "--root", root), 3, "this device already trusts another root.", "To follow another repository, use another home.")
    assert_refused(
        agent(synced, "import", tmp_path / "foreign"),
        4,
        "metadata/1.root.json: this is another repository than the one that this device was set up with",
    )
    init(tmp_path / "home", "--root", root).ok()
    assert_refused(agent(tmp_path / "home", "sync"), 4, OTHER_ROOT)


def test_a_channel_that_is_misspelt_gets_the_nearest(tmp_path: Path) -> None:
    init(tmp_path / "home", "--channel", "stabel").ok()
    assert_refused(agent(tmp_path / "home", "sync"), 4, "no such channel: expected one of stable, found 'stabel'. Did you mean 'stable'?")
    assert "stabel" in refused_as_json(agent(tmp_path / "home", "sync", "--json"), 4, "TrustError")


def test_a_repository_that_cannot_be_reached(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    init(tmp_path / "home", "--repo", f"http://127.0.0.1:{port}/repository").ok()
    message = "the server can't be reached (Connection refused), after 4 attempts. Check that the host is up and the address is right."
    assert_refused(agent(tmp_path / "home", "sync"), 5, f"error: http://127.0.0.1:{port}/repository/metadata/2.root.json: {message}")
    init(tmp_path / "home", "--repo", tmp_path / "unmounted", "--force").ok()
    message = f"error: {tmp_path}/unmounted: no such directory. Check that the medium is plugged in and mounted."
    assert_refused(agent(tmp_path / "home", "sync"), 5, message)
    doctor = agent(tmp_path / "home", "doctor")
    assert doctor.code == 6
    assert "failed  repository    " in doctor.out


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": [[1, 2, 3]]}, "x: wrong shape: expected float32 ['batch', 4], found [1, 3]"),
        ({"x": [1, 2, 3, 4]}, "x: wrong shape: expected float32 ['batch', 4], found [4]"),
        (
            {"x": [[1, 2, 3, 4], [1]]},
            "x: the values don't form a tensor: expected float32 ['batch', 4], found values that can't be converted, caused",
        ),
        ({"x": [["a", "b", "c", "d"]]}, "x: the values aren't numbers: expected float32 ['batch', 4], found text"),
        ({"x": [[1, 2, 3, 1e60]]}, "x: a value doesn't fit the data type: expected float32 ['batch', 4], found 1e+60"),
        ({"X": [[1, 2, 3, 4]]}, "X: the model has no such input: expected x (float32 ['batch', 4])"),
        ({}, "x: an input is missing: expected x (float32 ['batch', 4])"),
        ([1], 'the file doesn\'t name its inputs: expected a JSON object such as {"x": [[1, 2]]}'),
    ],
)
def test_inputs_that_are_not_the_models(synced: Path, tmp_path: Path, inputs: object, message: str) -> None:
    (tmp_path / "inputs.json").write_text(json.dumps(inputs))
    assert_refused(agent(synced, "infer", "linear", "--input", "inputs.json", cwd=tmp_path), 3, f"error: inputs.json: {message}")


def test_arrays_of_another_kind(synced: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "inputs.npz", x=np.zeros((1, 4), np.complex64))
    message = "x: the values aren't numbers: expected float32 ['batch', 4], found complex64"
    assert_refused(agent(synced, "infer", "linear", "--input", tmp_path / "inputs.npz"), 3, message)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["infer", "linera", "--golden"], 3, "error: linera: no such model on this device: expected linear. Did you mean 'linear'?"),
        (["infer", "linear"], 3, "error: no input was given: expected x (float32 ['batch', 4]). Pass a file with --input, or use --golden."),
        (["infer", "linear", "--input", "no.json"], 3, "error: no.json: the inputs can't be read, caused by: "),
        (["rollback", "linera"], 3, "error: linera: no such model on this device: expected linear. Did you mean 'linear'?"),
        (
            ["rollback", "linear"],
            3,
            "error: linear: there is no previous version to go back to: expected a model with a previous version on this device",
        ),
        (["sync", "--retry", "linera"], 3, "error: linera: no such model on this device: expected linear. Did you mean 'linear'?"),
        (["import", "nowhere"], 3, "error: nowhere: the medium holds neither a repository nor a receipt for this device"),
        (["export", "nowhere"], 3, "error: nowhere: no such directory. Check that the medium is mounted."),
    ],
)
def test_one_mistake_of_each_verb(synced: Path, tmp_path: Path, words: list[str], code: int, message: str) -> None:
    assert_refused(agent(synced, *words, cwd=tmp_path), code, message)


def test_errors_are_json_for_machines(synced: Path) -> None:
    assert "linera" in refused_as_json(agent(synced, "infer", "linera", "--golden", "--json"), 3, "UpdateError")
    assert "NAME" in refused_as_json(agent(synced, "rollback", "--json"), 2, "MissingParameter")
    assert "Did you mean 'sync'?" in agent(synced, "syn").err


def test_a_port_in_use(synced: Path, taken_port: int) -> None:
    done = agent(synced, "run", "--port", taken_port)
    assert done.code == 6
    message = (
        f"error: 127.0.0.1:{taken_port}: port {taken_port} is in use. Stop the program that uses it, or choose another port (0 picks a free one)."
    )
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_second_agent_on_the_same_home(copied_home: Path) -> None:
    with device(copied_home) as first:
        first.start("--port", 0)
        done = agent(copied_home, "run", "--port", 0)
        assert_refused(done, 6, f"error: {copied_home}: another agent is already running for this home. Stop it first, or use another --home.")
        assert first.serving() == "1.0.0"


def test_a_configuration_that_was_broken_by_hand(copied_home: Path) -> None:
    text = (copied_home / "agent.toml").read_text()
    (copied_home / "agent.toml").write_text(text.replace("poll_s", "pol_s"))
    for verb in ("status", "run", "doctor"):
        assert_refused(
            agent(copied_home, verb),
            3,
            f"error: {copied_home}/agent.toml: timing.pol_s: unknown field: expected one of poll_s,",
            "Did you mean 'poll_s'?",
        )
    (copied_home / "agent.toml").write_text(text + "junk\n")
    words = "not valid TOML (caused by: Expected '=' after a key in a key/value pair (at line"
    assert_refused(agent(copied_home, "sync"), 3, f"error: {copied_home}/agent.toml: {words}")
    init(copied_home).ok()
    agent(copied_home, "sync").ok()


@pytest.mark.parametrize("damage", ["overwritten", "cut off"])
def test_a_damaged_database_is_said_and_can_be_moved_away(copied_home: Path, damage: str) -> None:
    state = copied_home / "state.sqlite"
    state.write_bytes(b"not a database, " * 100 if damage == "overwritten" else state.read_bytes()[:5000])
    advice = "The database is damaged. Move state.sqlite* away, and run sealift-agent sync to install the channel's models again."
    for verb in ("status", "sync", "infer linear --golden"):
        assert_refused(agent(copied_home, *verb.split()), 6, f"error: {state}: the database can't be used, caused by: ", advice)
    running = agent(copied_home, "run", "--port", 0)
    assert running.code == 6
    assert "Traceback" not in running.err
    assert advice in running.err
    state.unlink()
    agent(copied_home, "sync").ok()
    assert agent(copied_home, "infer", "linear", "--golden", "--json").ok().json["version"] == "1.0.0"


@pytest.mark.parametrize("what", ["store/blobs", "bundles"])
def test_files_that_were_deleted_come_back_by_a_sync(copied_home: Path, what: str) -> None:
    shutil.rmtree(copied_home / what)
    doctor = agent(copied_home, "doctor")
    assert doctor.code == 6
    assert "failed  installed" in doctor.out
    agent(copied_home, "sync").ok()
    assert agent(copied_home, "infer", "linear", "--golden", "--json").ok().json["version"] == "1.0.0"
    assert "ok      installed     linear 1.0.0" in agent(copied_home, "doctor").out


def test_a_clock_that_was_set_back_does_no_harm(copied_home: Path) -> None:
    """The clock can't be set in a test; to the device, a state that has seen the future is the same."""
    state = copied_home / "trust" / "state.json"
    document = json.loads(state.read_text())
    state.write_text(json.dumps(document | {"seen_time": "2027-01-01T00:00:00Z"}))
    doctor = agent(copied_home, "doctor")
    assert "but it must be later than 2027-01-01T00:00:00Z, which is used instead. Set the clock." in doctor.out
    assert agent(copied_home, "sync").code == 0


@pytest.mark.long
def test_a_hub_that_is_down_is_waited_for(tmp_path: Path) -> None:
    with running_hub(tmp_path / "hub") as hub:
        url = hub.url
    port = url.rsplit(":", 1)[1]
    with device(tmp_path / "home") as own_device:
        own_device.init(workshop() / "repo", workshop().root, "--hub", url)
        own_device.start()
        wait_until(lambda: own_device.serving() == "1.0.0", 60, "the model")
        wait_until(lambda: own_device.status()["reports"]["sealed"] >= 1, 30, "a report")
        assert own_device.status()["reports"]["acknowledged"] == 0
        command = [COMMAND, "serve", "--data", str(tmp_path / "hub"), "--port", port]
        with (tmp_path / "hub2.log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_until(lambda: own_device.status()["reports"]["acknowledged"] >= 1, 60, "the hub to have the report")
            assert own_device.serving() == "1.0.0"
        finally:
            process.terminate()
            process.wait(30)


def test_a_full_disk_stops_an_update_and_no_answer(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, device(disk.directory / "home") as own_device:
        log = own_device.log = tmp_path / "agent.log"
        disk.leave(0)
        assert_refused(init(own_device.home), 6, "the disk is full (No space left on device)")
        disk.clear()
        own_device.init(workshop() / "repo", workshop().root, limits__reserve_mb="0")
        disk.leave(40)
        assert_refused(agent(own_device.home, "sync"), 6, "the disk is full")
        assert not [name for name in disk.names() if name.endswith(".partial")]
        disk.clear()
        agent(own_device.home, "sync").ok()
        own_device.start()
        disk.leave(0)
        _answers(own_device, 20)
        exported = agent(own_device.home, "export", tmp_path)
        assert exported.code in (0, 6), exported.err
        _answers(own_device, 20)
        disk.clear()
        agent(own_device.home, "export", tmp_path).ok()
        assert "Traceback" not in log.read_text()
        with sqlite3.connect(own_device.home / "state.sqlite") as state:
            assert state.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        state.close()


def _answers(own_device: AgentUnderTest, times: int) -> None:
    for _ in range(times):
        assert own_device.infer("linear", [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [0, 1, 2, 3]}])["outputs"]
