"""A pytest plugin that runs, for each change of a function, the tests that call this function, until one fails.

Each change is tried in a process forked after collection: it gives the function the changed code, and ends at the first failure. So nothing is
imported or collected anew, and no change is ever written to disk. What runs in a process that a test starts isn't changed.
"""

from __future__ import annotations

import functools
import gc
import importlib
import json
import math
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import types
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from mutants.codes import Key, Mutant, change, functions_of
from mutants.watching import Listener, Watching

NOTICED: Final = 1
#: Processor seconds that a change's tests may take, and how many times what they took without it; and as many times that until they end, which
#: others on the machine may delay.
GRACE_S: Final = 20.0
FACTOR: Final = 8
DELAY: Final = 6
#: How many examples a test by hypothesis makes.
EXAMPLES: Final = 20


class Noticing:
    """The plugin; `unnoticed` has its result."""

    def __init__(self, mutants: list[Mutant], processes: int) -> None:
        self.mutants = mutants
        self.unnoticed: list[Mutant] = []
        self.problem = "the tests can't be run"
        self._processes = processes
        #: How often a test noticed a change of a function: it is likely to notice the next one, too.
        self._noticed: Counter[tuple[Key, int]] = Counter()
        self._scratch = Path(tempfile.mkdtemp(prefix="mutants-"))

    def pytest_collection(self) -> None:
        """Before test modules are imported: the same examples in each run, and none made smaller once it failed."""
        from hypothesis import Phase, settings  # it is a plugin of pytest, which wants to import it first

        settings.register_profile(
            "mutants",
            settings.get_profile("sealift"),
            derandomize=True,
            database=None,
            max_examples=EXAMPLES,
            phases=(Phase.explicit, Phase.generate),
        )
        settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Few examples for tests that ask for many of them, too: a survivor has to pass them all."""
        from hypothesis import settings

        for item in items:
            function = getattr(item, "obj", None)
            asked = getattr(function, "_hypothesis_internal_use_settings", None)
            if asked is not None and asked.max_examples > EXAMPLES:
                function._hypothesis_internal_use_settings = settings(asked, max_examples=EXAMPLES)  # type: ignore[union-attr]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try every change in place of running the tests once."""
        self.problem = "" if session.items and not session.testsfailed else "the tests can't be collected"
        for module in sorted({mutant.module for mutant in self.mutants}):
            importlib.import_module(_dotted(module))
        functions = functions_of({mutant.key for mutant in self.mutants})
        gc.collect()
        gc.freeze()  # else each process copies all objects as soon as it looks for rubbish
        try:
            callers = self._callers(session, functions)
            if not self.problem:
                self._try_all(session, functions, callers)
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)
        return True

    def _callers(self, session: pytest.Session, functions: dict[Key, list[types.FunctionType]]) -> dict[Key, list[tuple[float, int]]]:
        """For each function the tests that call it, quick ones first, found by running all without a change."""
        answer = self._scratch / "callers.json"

        def watch() -> int:
            watching = Watching(session, list(functions.values()))
            watching.run()
            answer.write_text(json.dumps(watching.result()))
            return 0

        pid = self._fork(session, watch)
        os.waitpid(pid, 0)
        if not answer.exists():
            self.problem = "the tests ended without a result"
            return {}
        result = json.loads(answer.read_text())
        quick_first = sorted(range(len(session.items)), key=lambda index: result["seconds"][index])
        if result["failed"]:
            self.problem = f"these tests fail without any change: {', '.join(result['failed'])}"
        elif os.waitpid(self._fork(session, lambda: _run(session, quick_first)), 0)[1]:
            self.problem = "a test fails without any change where quick ones run first: it depends on another"
        keys = list(functions)
        return {keys[int(number)]: sorted((result["seconds"][index], index) for index in indices) for number, indices in result["callers"].items()}

    def _try_all(self, session: pytest.Session, functions: dict[Key, list[types.FunctionType]], callers: dict[Key, list[tuple[float, int]]]) -> None:
        running: dict[int, tuple[Mutant, float]] = {}
        for number, mutant in enumerate(self.mutants):
            tests = self._likely_first(mutant.key, callers.get(mutant.key, []))
            if not tests:
                self.unnoticed.append(mutant)
                continue
            while len(running) >= self._processes:
                self._reap(running)
            targets, seconds = functions[mutant.key], math.ceil(GRACE_S + FACTOR * sum(took for took, _ in tests))
            attempt = functools.partial(_attempt, session, mutant, targets, [index for _, index in tests], seconds)
            running[self._fork(session, attempt)] = mutant, time.monotonic() + DELAY * seconds
            if (number + 1) % 100 == 0:
                print(f"  {number + 1} of {len(self.mutants)}, {len(self.unnoticed)} unnoticed", file=sys.stderr, flush=True)
        while running:
            self._reap(running)

    def _likely_first(self, key: Key, tests: list[tuple[float, int]]) -> list[tuple[float, int]]:
        return sorted(tests, key=lambda test: (-self._noticed[key, test[1]], test[0]))

    def _reap(self, running: dict[int, tuple[Mutant, float]]) -> None:
        """Wait until one attempt has ended; one that takes far longer than without its change is noticed, too."""
        while True:
            for pid, (mutant, deadline) in list(running.items()):
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    if os.waitstatus_to_exitcode(status) == 0:
                        self.unnoticed.append(mutant)
                    elif (self._scratch / str(pid) / "noticed").exists():
                        self._noticed[mutant.key, int((self._scratch / str(pid) / "noticed").read_text())] += 1
                elif time.monotonic() > deadline:
                    os.killpg(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                else:
                    continue
                del running[pid]
                shutil.rmtree(self._scratch / str(pid), ignore_errors=True)
                return
            time.sleep(0.005)

    def _fork(self, session: pytest.Session, work: Callable[[], int]) -> int:
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            self._be_alone(session)
            code = NOTICED
            try:
                code = work()
            finally:
                os._exit(code)
        return pid

    def _be_alone(self, session: pytest.Session) -> None:
        """No output, and a temporary folder of its own."""
        session.config.pluginmanager.unregister(name="terminalreporter")
        if not os.environ.get("MUTANTS_SHOW"):
            quiet = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(quiet, descriptor)
        folder = self._scratch / str(os.getpid())
        folder.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
        factory: Any = session.config._tmp_path_factory  # type: ignore[attr-defined]
        factory._basetemp = folder / "pytest"
        factory._basetemp.mkdir()


def _attempt(session: pytest.Session, mutant: Mutant, targets: list[types.FunctionType], indices: list[int], seconds: int) -> int:
    end_after(seconds)
    change(targets, mutant)
    return _run(session, indices)


def end_after(seconds: int) -> None:
    """End this process once it has taken so many seconds of a processor: it goes round in circles, however busy the machine is."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def _run(session: pytest.Session, indices: list[int]) -> int:
    """Run some tests; the first that fails ends the process, and leaves its number."""
    current = [0]

    def stop(report: pytest.TestReport) -> None:
        if report.failed:
            Path(tempfile.gettempdir(), "noticed").write_text(str(current[0]))
            os._exit(NOTICED)

    session.config.pluginmanager.register(Listener(stop))
    for index, following in zip(indices, [*indices[1:], None], strict=True):
        current[0] = index
        item = session.items[index]
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None if following is None else session.items[following])
    return 0


def _dotted(module: str) -> str:
    return ".".join(Path(module).with_suffix("").parts[1:]).removesuffix(".__init__")
