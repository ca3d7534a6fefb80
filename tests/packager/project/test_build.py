"""`sealift build`: many models from one file, by local processes and on Ray, the same bytes either way, and nothing lost when a worker dies."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from sealift_core.errors import DocumentError, SealiftError
from sealift_core.signing.keys import PrivateKey
from sealift_packager.cli.build import build
from sealift_packager.errors import ProjectError
from sealift_packager.project.executor import ATTEMPTS
from sealift_packager.project.file import pick, read_project
from sealift_packager.project.job import JobOutcome, PackJob
from sealift_packager.project.local import LocalExecutor, default_workers
from sealift_packager.project.on_ray import RayExecutor
from sealift_packager.project.work import do
from support import trained

PROFILES = ("arm64-baseline", "arm64-dotprod")
NAMES = ("one", "two")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two models under two names each × two profiles, of which none is this machine's."""
    PrivateKey.generate().save(tmp_path / "key.pem", None)
    cancer, net = trained.cancer(), trained.onnx_net()
    defaults = f'version = "1.0.0"\nprofile = {json.dumps(PROFILES)}\nkey = "key.pem"\ntrust-pickle = true\n'
    sources = {"one": net, "two": cancer, "three": cancer, "four": net}
    tables = [
        f'[models.{name}]\nmodel = "{what.model}"\ndata = "{what.data}"\ntarget = "{what.target}"\nseed = {seed}\n'
        for seed, (name, what) in enumerate(sources.items())
    ]
    path = tmp_path / "project.toml"
    path.write_text("[defaults]\n" + defaults + "\n" + "\n".join(tables))
    return path


def digests(outcomes: list[JobOutcome]) -> dict[str, str | None]:
    assert [outcome.error for outcome in outcomes] == [None] * len(outcomes)
    return {outcome.name: outcome.digest for outcome in outcomes}


@pytest.mark.long
def test_local_processes_build_all_and_locked_again_give_the_same_bytes(project: Path) -> None:
    first = digests(list(LocalExecutor(2).run(pick(read_project(project, cache=False), NAMES))))
    assert set(first) == set(NAMES)
    again = digests([do(job) for job in pick(read_project(project, cache=False, locked=True, force=True), NAMES)])
    assert again == first


@pytest.mark.long
def test_the_stages_of_a_job_are_told_while_it_runs(project: Path) -> None:
    told: list[str] = []
    outcomes = LocalExecutor(1, stage=told.append).run(pick(read_project(project, cache=False), ["two", "three"]))
    first = next(outcomes).name
    assert all(re.fullmatch(rf"{first}: .+: done in \d+\.\d s", line) for line in told if line.startswith(first))
    assert len([line for line in told if line.startswith(f"{first}: ")]) > len(PROFILES)
    digests(list(outcomes))


@pytest.mark.long
def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(project: Path) -> None:
    killed: list[int] = []

    def kill_first(name: str, process: int) -> None:
        if name == "two" and not killed:
            killed.append(process)
            threading.Timer(0.5, os.kill, (process, signal.SIGKILL)).start()

    outcomes = list(LocalExecutor(2, started=kill_first).run(pick(read_project(project, cache=False), ["two", "three"])))
    digests(outcomes)
    assert {outcome.name: outcome.attempts for outcome in outcomes} == {"two": 2, "three": 1}


@pytest.mark.long
def test_a_job_whose_workers_all_die_is_reported_and_the_others_go_on(project: Path) -> None:
    def kill(name: str, process: int) -> None:
        if name == "two":
            os.kill(process, signal.SIGKILL)

    outcomes_by_name = {
        outcome.name: outcome for outcome in LocalExecutor(1, started=kill).run(pick(read_project(project, cache=False), ["two", "three"]))
    }
    assert outcomes_by_name["three"].done
    assert outcomes_by_name["two"].attempts == ATTEMPTS
    assert "the worker died 3 times (by signal 9)" in str(outcomes_by_name["two"].error)


@pytest.mark.long
def test_the_command_goes_on_after_a_failure_and_names_it(project: Path) -> None:
    project.write_text(project.read_text() + '\n[models.broken]\nmodel = "nowhere.onnx"\n')
    result = CliRunner().invoke(build, [str(project), "--only", "broken", "--only", "two", "--no-cache", "--json"])
    assert isinstance(result.exception, ProjectError)
    assert "1 of 2 models failed: found broken" in str(result.exception)
    outcomes_by_name = {outcome["name"]: outcome for outcome in json.loads(result.stdout)}
    assert outcomes_by_name["two"]["error"] is None
    assert set(outcomes_by_name["two"]["bundles"]) == set(PROFILES)
    assert "nowhere.onnx: no such model file" in outcomes_by_name["broken"]["error"]


@pytest.mark.parametrize(
    ("text", "error_class", "message"),
    [
        ("", DocumentError, "models: a required field is missing"),
        ("[models]\n", ProjectError, "no models"),
        ("[models.a]\nversion = '1.0.0'\nprofile = []\n", DocumentError, "models.a.model: a required field is missing"),
        ("[models.a]\nmodel = 'm'\nversion = '1.0.0'\nprofiles = ['x']\n", DocumentError, "Did you mean 'profiles'"),
        ("[defaults]\nsede = 1\n[models.a]\nmodel = 'm'\nversion = '1.0.0'\nprofile = ['x']\n", DocumentError, "models.a.sede: unknown field"),
        ("[modles.a]\n", DocumentError, "models"),
    ],
)
def test_a_wrong_project_file_says_where_and_what(tmp_path: Path, text: str, error_class: type[SealiftError], message: str) -> None:
    path = tmp_path / "project.toml"
    path.write_text(text)
    with pytest.raises(error_class) as caught:
        read_project(path)
    assert message in str(caught.value)


def test_a_missing_file_and_an_unknown_name_are_named(project: Path, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="nowhere.toml: the project file can't be read"):
        read_project(tmp_path / "nowhere.toml")
    with pytest.raises(ProjectError, match="no such model: expected one, two, three, four, found 'tow'. Did you mean 'two'"):
        pick(read_project(project), ["tow"])


def test_a_job_and_its_outcome_travel_as_json(project: Path) -> None:
    job = read_project(project)[0]
    assert PackJob.from_json(job.to_json()) == job
    outcome = JobOutcome(name="one", seconds=1.5, digest="sha256:00", bundles={"p": "sha256:11"}, chosen={"p": "fp32"}, attempts=2)
    assert JobOutcome.from_json(outcome.to_json()) == outcome


def test_jobs_side_by_side_leave_each_other_cores_to_measure_on() -> None:
    assert [default_workers(cores) for cores in (1, 2, 4, 8, 64)] == [1, 1, 1, 2, 16]


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_extra_is_named() -> None:
    with pytest.raises(ProjectError, match="pip install ray"):
        list(RayExecutor("auto").run([]))


RAY_WORKERS = """
import ray, sys
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=sys.argv[1])
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install ray")
def test_a_ray_cluster_gives_the_same_bytes_and_loses_nothing_when_a_worker_is_killed(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(secrets.token_hex(32))
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))  # or Ray leaves one in the home directory
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "150")  # a busy machine
    first = digests(list(LocalExecutor(2).run(read_project(project, cache=False))))
    scratch = tempfile.mkdtemp(prefix="ray.")  # a short path: it holds sockets
    command = [sys.executable, "-c", RAY_WORKERS, scratch]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as cluster:
        assert cluster.stdout is not None
        address = cluster.stdout.readline().strip()
        try:
            killer = threading.Thread(target=_kill_a_worker, args=(cluster.pid,))
            killer.start()
            again = digests(list(RayExecutor(address).run(read_project(project, cache=False, locked=True, force=True))))
            killer.join()
        finally:
            cluster.communicate("", timeout=60)
            shutil.rmtree(scratch, ignore_errors=True)
    assert again == first
    assert len(again) == 4


def _kill_a_worker(cluster: int) -> None:
    """Kill one process of this cluster that is at work on a job."""
    import psutil

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for process in psutil.Process(cluster).children(recursive=True):
            if process.name() == "ray::_do":
                time.sleep(1)
                process.kill()
                return
        time.sleep(0.05)
    raise AssertionError("no worker ever began")
