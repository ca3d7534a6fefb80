"""The process that updates and reports. Nothing that it waits for holds up a request.

Each round does what is due: take over a changed agent.toml, finish and begin updates, judge probations, seal reports. They are sent on a thread of
its own (`sending`), so that a hub which hangs holds nothing up. An error of a round is logged, once as long as it stays the same, and a later round
tries again: an update that is held up by its own back-off (`update.table.retry_after_s`), everything else at its interval. Only what nobody foresaw
ends the process, and then the supervisor starts it anew.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from sealift_core.errors import BusyError, SealiftError
from sealift_core.messages.report import Event
from sealift_core.terminal.commandline import exit_code, say_error
from sealift_runtime.agent.admin_client import DataPlaneClient
from sealift_runtime.agent.device import LocalDevice, opened
from sealift_runtime.agent.health import health
from sealift_runtime.agent.home import Home
from sealift_runtime.agent.logs import set_up_logging
from sealift_runtime.agent.parent import leave_with_parent
from sealift_runtime.agent.reporting import seal, send
from sealift_runtime.agent.sending import Sending
from sealift_runtime.agent.updating import updater_of
from sealift_runtime.update.context import same_trouble
from sealift_runtime.update.records import Update
from sealift_runtime.update.table import State

logger = logging.getLogger("sealift.agent")

#: How often a probation is looked at, and the shortest rest between rounds.
TICK_S = 0.5
#: How long a round may go on once the process is to end. Then it is broken off wherever it is, as by a crash, for which every step is made.
GRACE_S = 3.0
#: How long a data plane may take to load what is installed before the control plane checks all of that by itself.
DATA_PLANE_S = 30.0
#: The kind of event by which a crash of the data plane is in ledgers and reports.
CRASHED = "server-crashed"


class ControlPlane:
    """The loop over one device."""

    def __init__(self, device: LocalDevice, data_plane: DataPlaneClient) -> None:
        self.device = device
        self.data_plane = data_plane
        self.updater = updater_of(device, data_plane)
        self._sending = Sending(lambda opened: send(device, opened))
        self._stopping = threading.Event()
        self._due = {"poll": 0.0, "report": device.clock.monotonic() + min(device.config.report_s, 1.0)}
        self._last_words: dict[str, str] = {}
        self._paused_until = 0.0
        self._renewing = False

    def stop(self) -> None:
        """End after the round that runs."""
        self._stopping.set()

    def run(self) -> None:
        """Make sure that the data plane goes by what the database says, and that what is installed is whole; then rounds until `stop`."""
        self._attempt("desired state", self.updater.publish)
        self._attempt("recover", self._recover)
        try:
            while not self._stopping.is_set():
                self.round()
                self._stopping.wait(TICK_S)
        finally:
            self._sending.stop()

    def round(self) -> None:
        """Everything that is due now."""
        self._attempt("configuration", self._reload)
        self._attempt("probation", self._roll_back_after_crash)
        polling = self._is_due("poll", self.device.config.poll_s)
        if polling:
            self._attempt("desired state", self.updater.publish)
            self._attempt("refresh", self._refresh)
        if polling or (self.device.clock.monotonic() >= self._paused_until and self.updater.due()):
            self._attempt("update", self._advance)
        if self._is_due("report", self.device.config.report_s):
            self._attempt("report", self._seal)
            self._attempt("health", self._tell_health)
            if self.device.config.hub:
                self._sending.start()
        if (words := self._sending.outcome()) is not None:
            self._warn("sending", words)

    def _recover(self) -> None:
        """Check what is installed, each byte once: what serves is checked by the data plane as it loads it, the rest here."""
        deadline = self.device.clock.monotonic() + DATA_PLANE_S
        checked = None
        while checked is None and self.device.state.deployments() and self.device.clock.monotonic() < deadline:
            if self._stopping.wait(0.1):
                return
            with contextlib.suppress(SealiftError):  # it begins, or ends, at this very moment
                checked = self.data_plane.checked()
        self.updater.recover(checked)

    def _is_due(self, name: str, every_s: float) -> bool:
        now = self.device.clock.monotonic()
        if now < self._due[name]:
            return False
        self._due[name] = now + every_s
        return True

    def _attempt(self, what: str, act: Callable[[], None]) -> None:
        try:
            act()
        except BusyError:
            logger.info("%s: another command is updating this device; trying again", what)
        except SealiftError as error:
            self._warn(what, str(error))
        else:
            self._warn(what, "")

    def _warn(self, what: str, words: str) -> None:
        """Log what is wrong, once: the same with other figures is a detail. No words say that all is well."""
        before, self._last_words[what] = self._last_words.get(what, ""), words
        if words:
            logger.log(logging.DEBUG if same_trouble(before, words) else logging.WARNING, "%s: %s", what, words)

    def _reload(self) -> None:
        """Go by agent.toml as it is now. One that can't be read changes nothing."""
        before = self.device.config
        if self.device.reload():
            config = self.device.config
            logger.info("agent.toml was changed: following channel %s of %s from now on", config.channel, config.repository)
            if (before.host, before.port, before.threads) != (config.host, config.port, config.threads):
                logger.warning("serving.host, serving.port and serving.threads hold from the next start on: restart the agent")
            self.updater = updater_of(self.device, self.data_plane)
            self._due = dict.fromkeys(self._due, 0.0)
            self._renewing = True
        if self._renewing:
            self.updater.publish(renew=True)
            self._renewing = False

    def _refresh(self) -> None:
        self._warn("stale", self.updater.refresh() or "")

    def _advance(self) -> None:
        self._paused_until = self.device.clock.monotonic() + self.device.config.poll_s  # if what goes wrong can't even be written down
        result = self.updater.advance(patient=True)
        self._paused_until = 0.0
        if result.problems or not any(update.retry_at for update in result.updates):  # one that waits for its next try isn't well
            self._warn("update held up", "; ".join(map(str, result.problems)))

    def _roll_back_after_crash(self) -> None:
        """Roll back a version that crashed the data plane during its probation, if there is a previous one."""
        for update in self.device.state.unfinished():
            deployment = self.device.state.deployment(update.name)
            if deployment and deployment.previous and (crash := self._crash(update)):
                self.updater.rollback(update.name, f"the data plane crashed during the probation of {update.version}: {crash.detail}")

    def _crash(self, update: Update) -> Event | None:
        """The latest crash of the data plane since it was told to serve an update's version; it may come before the data plane says that it does."""
        if update.state not in (State.ACTIVATING, State.PROBATION) or update.probation is None:
            return None
        since = update.probation.started.replace(microsecond=0)
        events = (event for event in reversed(self.device.state.events()) if event.kind == CRASHED)
        return next((event for event in events if event.time >= since), None)

    def _seal(self) -> None:
        seal(self.device, self.data_plane, wait=True)

    def _tell_health(self) -> None:
        self.data_plane.tell_health(problem.trouble for problem in health(self.device, self.data_plane))


def main() -> None:
    """Entry point of the process: ``python -m sealift_runtime.agent.control_plane HOME``."""
    set_up_logging("control")
    home = Home(Path(sys.argv[1]))
    try:
        with opened(home) as device:
            plane = ControlPlane(device, DataPlaneClient(home.socket))

            def end(*_: object) -> None:
                plane.stop()
                signal.setitimer(signal.ITIMER_REAL, GRACE_S)

            signal.signal(signal.SIGALRM, lambda *_: sys.exit(0))
            signal.signal(signal.SIGTERM, end)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            leave_with_parent(end)
            try:
                plane.run()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    except SealiftError as error:
        say_error(error)
        sys.exit(exit_code(error))


if __name__ == "__main__":
    main()
