"""What a worker asks of the process that started it: a message goes out on its pipe, and the answer comes on its standard input."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sealift_core.hardware.document import parse_machine
from sealift_core.schema.documents import Document
from sealift_core.timing.throughput import Throughput
from sealift_packager.errors import DeviceError
from sealift_packager.measure.emulation import Emulator, Processor
from sealift_packager.measure.probe import Footprint
from sealift_packager.sandbox.activity import pausing
from sealift_packager.sandbox.failures import decode_failure
from sealift_packager.sandbox.frames import Decoder, Message

if TYPE_CHECKING:
    from sealift_core.bundle.digest import Digest
    from sealift_core.messages.measuring import Run
    from sealift_packager.graph.session import Settings
    from sealift_packager.measure.device import MeasuringDevice
    from sealift_packager.measure.device_address import DeviceAddress
    from sealift_packager.model.source import Array

_CHUNK_BYTES = 2**20


class WorkerChannel:
    """Both pipes, as the worker has them. It waits for each answer, so messages never cross."""

    def __init__(self, reader: int, writer: int) -> None:
        self._reader, self._writer = reader, writer
        self._decoder = Decoder()
        self._sending = threading.Lock()  # a log record may come from any thread

    def send(self, blob: bytes = b"", **fields: Any) -> None:
        """Send a message."""
        data = memoryview(Message(fields, blob).encode())
        with self._sending:
            while data:
                data = data[os.write(self._writer, data) :]

    def receive(self) -> Message:
        """The next message; ends this process if the other one has ended."""
        while data := os.read(self._reader, _CHUNK_BYTES):
            for message in self._decoder.feed(data):
                return message
        os._exit(1)

    def ask(self, name: str, blob: bytes = b"", **fields: Any) -> Message:
        """The answer to a question; raises the error that it is."""
        with pausing():
            self.send(blob, ask=name, **fields)
            answer = self.receive()
        if "kind" in answer.fields:
            raise decode_failure(answer.fields)
        return answer


class RemoteProgress:
    """A `Progress` that the other process shows."""

    def __init__(self, channel: WorkerChannel) -> None:
        self._channel = channel

    def stage(self, title: str) -> AbstractContextManager[None]:
        """A stage runs while the block does."""

        @contextmanager
        def shown() -> Any:
            self._channel.send(stage="begin", title=title)
            yield
            self._channel.send(stage="end")

        return shown()

    def cached(self, title: str) -> None:
        """A stage isn't run: its result is known."""
        self._channel.send(stage="cached", title=title)


class RemoteStore:
    """A `Store` that the other process keeps, apart for each model."""

    def __init__(self, channel: WorkerChannel) -> None:
        self._channel = channel

    def read(self, key: str) -> bytes | None:
        """The bytes of an entry; None if there is none."""
        answer = self._channel.ask("cache read", key=key)
        return answer.blob if answer.fields["there"] else None

    def write(self, key: str, data: bytes) -> None:
        """Keep an entry, if that can be."""
        self._channel.ask("cache write", data, key=key)

    def discard(self, key: str) -> None:
        """Throw an entry out."""
        self._channel.ask("cache discard", key=key)


class RemoteOutside:
    """An `Outside`: the process that started this one."""

    def __init__(self, channel: WorkerChannel) -> None:
        self._channel = channel

    def footprint(self, model: Path, inputs: Path, settings: Settings, *, model_bytes: int) -> Footprint:
        """As `measure.probe.probe`."""
        answer = self._channel.ask(
            "footprint",
            model=str(model),
            inputs=str(inputs),
            model_bytes=model_bytes,
            threads=settings.threads,
            graph_optimization=settings.graph_optimization,
            entries=dict(settings.config),
        )
        return Footprint(**answer.fields)

    def find_emulator(self, processor: Processor) -> Emulator | None:
        """As `measure.emulation.find_emulator`; its command is the other process's."""
        answer = self._channel.ask("find emulator", processor=dataclasses.asdict(processor)).fields
        return Emulator(processor=processor, command=(), environment={}, onnxruntime=answer["onnxruntime"]) if answer["there"] else None

    def emulator_digest(self, processor: Processor) -> str:
        """As `measure.emulation.emulator_digest`."""
        return str(self._channel.ask("emulator digest", processor=dataclasses.asdict(processor)).fields["digest"])

    def emulate(self, processor: Processor, folder: Path, entries: Mapping[str, str]) -> bool:
        """As `measure.emulation.compute`."""
        answer = self._channel.ask("emulate", processor=dataclasses.asdict(processor), folder=str(folder), entries=dict(entries))
        return bool(answer.fields["done"])

    def device_job(self, address: DeviceAddress, files: Mapping[Digest, bytes]) -> RemoteJob:
        """As `measure.device.DeviceJob`."""
        return RemoteJob(self._channel, address, files)


class RemoteJob:
    """A `DeviceJob` that the other process begins, signs and ends."""

    def __init__(self, channel: WorkerChannel, address: DeviceAddress, files: Mapping[Digest, bytes]) -> None:
        self._channel = channel
        self._address = address
        self._files = files
        self.device: MeasuringDevice

    def __enter__(self) -> Self:
        from sealift_packager.measure.device import MeasuringDevice

        for digest, data in self._files.items():
            self._channel.ask("device file", data, digest=str(digest))
        fields = self._channel.ask("device begin", address=dataclasses.asdict(self._address)).fields
        machine = parse_machine(Document(fields["machine"], "machine"))
        self.device = MeasuringDevice(device_id=fields["device"], machine=machine, onnxruntime=fields["onnxruntime"])
        return self

    def __exit__(self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._channel.ask("device end")
        except DeviceError:
            if error is None:
                raise

    def latency(self, inputs: Digest, runs: Sequence[Run], *, seconds: float, rounds: tuple[int, int]) -> dict[str, Array]:
        """As `DeviceJob.latency`."""
        documents = [run.json() for run in runs]
        answer = self._channel.ask("device latency", inputs=str(inputs), runs=documents, seconds=seconds, rounds=list(rounds))
        return {name: np.array(values) for name, values in answer.fields["samples_ms"].items()}

    def footprint(self, inputs: Digest, run: Run) -> tuple[float, int]:
        """As `DeviceJob.footprint`."""
        fields = self._channel.ask("device footprint", inputs=str(inputs), runs=[run.json()]).fields
        return fields["load_time_ms"], fields["peak_memory_bytes"]

    def throughput(self, inputs: Digest, run: Run, *, batches: Sequence[int], seconds: float) -> Throughput:
        """As `DeviceJob.throughput`."""
        answer = self._channel.ask("device throughput", inputs=str(inputs), runs=[run.json()], batches=list(batches), seconds=seconds)
        return Throughput(**answer.fields)
