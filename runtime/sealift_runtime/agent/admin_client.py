"""The running data plane, as its private socket shows it; a `DataPlaneLink` for the updater."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sealift_core.bundle.digest import Digest
from sealift_core.errors import TransportError
from sealift_core.schema.documents import Document
from sealift_runtime.agent.faults import Fault
from sealift_runtime.agent.home import short_path
from sealift_runtime.agent.unix_http import call
from sealift_runtime.inference.trial_counts import TrialCounts
from sealift_runtime.reports.numbered import NumberedWindow
from sealift_runtime.update.desired import DesiredState
from sealift_runtime.update.records import ServingCounters

_PATIENCE_S = 5.0
FOLLOW, GENERATION, CHECKED, COUNTERS, WINDOWS, ACKNOWLEDGE, MODELS, FAULTS, HEALTH = (
    f"/admin/{word}" for word in ("follow", "generation", "checked", "counters", "windows", "acknowledge", "models", "faults", "health")
)


def _trial(fields: Document) -> TrialCounts:
    names = ("failures", "failures_asked", "failures_own", "nonfinite", "nonfinite_asked", "nonfinite_own")
    return TrialCounts(
        previous=fields.text("previous"),
        ratios=fields.numbers("ratios"),
        growths=fields.integers("growths"),
        **{name: fields.integer(name) for name in names},
    )


class DataPlaneClient:
    """Asks the data plane of one home. Where none runs there is nothing to do: the next one reads the desired state from disk."""

    def __init__(self, path: Path) -> None:
        self._socket = path

    def running(self) -> bool:
        """Whether a data plane answers."""
        return self._ask(MODELS) is not None

    def process(self) -> int | None:
        """The number of the process that listens; None where none does, or the system doesn't say (it isn't Linux)."""
        if sys.platform != "linux":
            return None
        with (
            contextlib.suppress(FileNotFoundError, ConnectionRefusedError),
            socket.socket(socket.AF_UNIX) as probe,
            short_path(self._socket) as path,
        ):
            probe.settimeout(_PATIENCE_S)
            probe.connect(str(path))
            number, _, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
            return int(number)
        return None

    def generation(self) -> int | None:
        """The generation of the desired state that it goes by, 0 if it has none; None when no data plane runs."""
        answer = self._ask(GENERATION)
        return None if answer is None else Document(answer, "generation").integer("generation", minimum=0)

    def follow(self, desired: DesiredState, model: str = "", checked: str | None = None) -> None:
        """Send a desired state and wait until it is done; `EngineError` if the current bundle of ``model`` can't serve."""
        self._ask(FOLLOW, {"desired": desired.json(), "model": model, "checked": checked or ""})

    def checked(self) -> dict[Digest, str] | None:
        """The bundles that serve, with the state of their files as they were checked; None when no data plane runs, or while it starts."""
        answer = self._ask(CHECKED)
        return {Digest(digest): str(state) for digest, state in answer["checked"].items()} if answer and answer["checked"] is not None else None

    def counters(self, name: str) -> ServingCounters | None:
        """What the model under this name did since it was loaded; None when nothing serves."""
        answer = self._ask(COUNTERS, {"model": name})
        if not answer or not answer["serving"]:
            return None
        fields = Document(answer["serving"], "counters")
        return ServingCounters(
            requests=fields.integer("requests"),
            failures=fields.integer("failures"),
            nonfinite=fields.integer("nonfinite"),
            latency_counts=fields.integers("latency_counts"),
            trial=_trial(fields.document("trial")) if fields.has("trial") else None,
        )

    def windows(self) -> list[NumberedWindow]:
        """The windows that ended and that nobody acknowledged; none when no data plane runs."""
        answer = self._ask(WINDOWS)
        return [NumberedWindow.parse(Document(window, "window")) for window in answer["windows"]] if answer else []

    def acknowledge(self, newest: Mapping[str, int]) -> None:
        """Say that the windows of each stream up to a number are kept elsewhere now."""
        self._ask(ACKNOWLEDGE, {"newest": dict(newest)})

    def faults(self) -> list[Fault]:
        """What failed beside the request path, and that nobody acknowledged."""
        answer = self._ask(FAULTS, {})
        return [Fault.parse(Document(fault, "fault")) for fault in answer["faults"]] if answer else []

    def acknowledge_faults(self, number: int) -> None:
        """Say that the faults up to a number are events now."""
        self._ask(FAULTS, {"acknowledged": number})

    def tell_health(self, troubles: Iterable[str]) -> None:
        """Tell what is wrong with the device, for /metrics."""
        self._ask(HEALTH, {"troubles": list(troubles)})

    def models(self) -> list[dict[str, Any]] | None:
        """What serves, with its counters and drift; None when no data plane runs."""
        answer = self._ask(MODELS)
        return None if answer is None else list(answer["models"])

    def absences(self) -> dict[str, str]:
        """Why models that are to serve don't, by name; empty when no data plane runs."""
        answer = self._ask(MODELS)
        return {absent["name"]: absent["reason"] for absent in answer.get("absent", [])} if answer else {}

    def _ask(self, target: str, body: dict[str, Any] | None = None) -> Any:
        if not self._socket.exists():
            return None
        with short_path(self._socket) as path:
            try:
                return call(path, "POST", target, body)
            except TransportError as error:
                if isinstance(error.__cause__, ConnectionRefusedError | FileNotFoundError):
                    return None
                raise
