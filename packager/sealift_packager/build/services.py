"""What a worker asks for, done by the process that started it: an answer to each question, and each question checked.

A worker may have been taken over by the model that it read. What it can have done is what is here: an entry of the model's own in the cache, a graph
of its own run behind walls or emulated, and measured on the devices that the user named. Files are read within the build's own folder only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from sealift_core.bundle.digest import Digest
from sealift_core.errors import SealiftError
from sealift_core.hardware.document import machine_json
from sealift_core.messages.measuring import Run
from sealift_core.schema.documents import Document, Json
from sealift_core.session_entries import parse_entries
from sealift_core.verify.graph import check_bundle_graph
from sealift_packager.build.request import PackRequest
from sealift_packager.cache.keys import key_apart
from sealift_packager.cache.store import Store
from sealift_packager.sandbox.failures import encode_failure
from sealift_packager.sandbox.frames import FrameError, Message

if TYPE_CHECKING:
    from sealift_packager.measure.device import DeviceJob
    from sealift_packager.measure.emulation import Emulator, Processor

_KEY: Final = re.compile(r"[0-9a-f]{64}")


class Services:
    """Answers the questions of one build; a context, at whose end no device is left with a job.

    ``space`` keeps the model's entries in the cache apart from all others; None where its own code is trusted anyway.
    """

    def __init__(self, request: PackRequest, folder: Path, store: Store | None, space: str | None) -> None:
        self._request = request
        self._folder = folder
        self._store = store
        self._space = space
        self._files: dict[Digest, bytes] = {}
        self._job: DeviceJob | None = None
        self._ending = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.close()

    def answer(self, message: Message) -> Message:
        """The answer to a question, an error of ours among them; `FrameError` for what is no question."""
        action = _ACTIONS.get(message.text("ask"))
        if action is None:
            raise FrameError("no such question")
        try:
            return action(self, message)
        except SealiftError as error:
            return Message(encode_failure(error))

    def _key(self, message: Message) -> str:
        key = message.text("key")
        if not _KEY.fullmatch(key):
            raise FrameError("not a key")
        return key if self._space is None else key_apart(self._space, key)

    def cache_read(self, message: Message) -> Message:
        """The bytes of an entry."""
        entry = self._store.read(self._key(message)) if self._store else None
        return Message({"there": entry is not None}, entry or b"")

    def cache_write(self, message: Message) -> Message:
        """Keep an entry."""
        if self._store:
            self._store.write(self._key(message), message.blob)
        return Message({})

    def cache_discard(self, message: Message) -> Message:
        """Throw an entry out."""
        if self._store:
            self._store.discard(self._key(message))
        return Message({})

    def footprint(self, message: Message) -> Message:
        """Load and run a graph of the build in a fresh process, behind walls."""
        from sealift_packager.graph.settings import Settings
        from sealift_packager.measure.probe import probe

        fields = Document(message.fields, "footprint")
        settings = Settings(
            threads=fields.integer("threads", minimum=1),
            graph_optimization=fields.text("graph_optimization"),
            entries=parse_entries(fields.document("entries")),
        )
        model, inputs = self._inside(fields, "model"), self._inside(fields, "inputs")
        measured = probe(model, inputs, settings, model_bytes=fields.integer("model_bytes", minimum=0))
        return Message(dataclasses.asdict(measured))

    def find_emulator(self, message: Message) -> Message:
        """Whether a processor can be emulated, and with which onnxruntime."""
        emulator = _emulator(message)
        return Message({"there": emulator is not None, "onnxruntime": emulator.onnxruntime if emulator else ""})

    def emulator_digest(self, message: Message) -> Message:
        """Of the emulator's program."""
        from sealift_packager.measure.emulation import emulator_digest

        return Message({"digest": emulator_digest(_required(_emulator(message)))})

    def emulate(self, message: Message) -> Message:
        """Have an emulated processor compute what is in a folder of the build."""
        from sealift_packager.measure.emulation import compute

        fields = Document(message.fields, "emulation")
        folder, entries = self._inside(fields, "folder"), parse_entries(fields.document("entries"))
        check_bundle_graph(folder)  # there are no walls around an emulator
        return Message({"done": compute(_required(_emulator(message)), folder, entries)})

    def device_file(self, message: Message) -> Message:
        """Keep a file for the job on a device that is begun next."""
        digest = Digest.of(message.blob)
        if str(digest) != message.text("digest"):
            raise FrameError("a file's content doesn't match its digest")
        self._files[digest] = message.blob
        return Message({})

    def device_begin(self, message: Message) -> Message:
        """Begin a job on a device that the user named."""
        from sealift_packager.measure.device import DeviceJob
        from sealift_packager.measure.on_device import required

        files, self._files = self._files, {}
        named = message.fields.get("address")
        address = next((device for device in self._request.measure_on if dataclasses.asdict(device) == named), None)
        if address is None:
            raise FrameError("not a device that the user named")
        job = self._ending.enter_context(DeviceJob(address, required(self._request.signer), files))
        self._job = job
        return Message({"device": job.device.device_id, "machine": machine_json(job.device.machine), "onnxruntime": job.device.onnxruntime})

    def device_end(self, message: Message) -> Message:  # noqa: ARG002  (a question)
        """End it."""
        self._job = None
        self._ending.pop_all().close()
        return Message({})

    def device_latency(self, message: Message) -> Message:
        """Measure latency there."""
        fields = Document(message.fields, "latency")
        least, most = (int(number) for number in fields.numbers("rounds", minimum=0))
        job, inputs, runs = self._step(fields)
        latencies = job.latency(inputs, runs, seconds=fields.number("seconds", minimum=0), rounds=(least, most))
        samples: dict[str, Json] = {name: [float(value) for value in values] for name, values in latencies.items()}
        return Message({"samples_ms": samples})

    def device_footprint(self, message: Message) -> Message:
        """Measure load time and memory there."""
        job, inputs, runs = self._step(Document(message.fields, "footprint"))
        load_time_ms, peak_memory_bytes = job.footprint(inputs, runs[0])
        return Message({"load_time_ms": load_time_ms, "peak_memory_bytes": peak_memory_bytes})

    def device_throughput(self, message: Message) -> Message:
        """Measure rows per second there."""
        fields = Document(message.fields, "throughput")
        job, inputs, runs = self._step(fields)
        batches = [int(number) for number in fields.numbers("batches", minimum=1)]
        return Message(dataclasses.asdict(job.throughput(inputs, runs[0], batches=batches, seconds=fields.number("seconds", minimum=0))))

    def _step(self, fields: Document) -> tuple[DeviceJob, Digest, list[Run]]:
        runs = [Run.parse(run) for run in fields.documents("runs")]
        if self._job is None or not runs:
            raise FrameError("no job on a device, or no run")
        return self._job, Digest.parse(fields.text("inputs"), where=fields.where), runs

    def _inside(self, fields: Document, name: str) -> Path:
        """A path of the build's own folder."""
        path = Path(fields.text(name, max_characters=4096)).resolve()
        if not path.is_relative_to(self._folder.resolve()):
            raise FrameError("a path that isn't the build's own")
        return path


#: What can be asked for.
_ACTIONS: Final[dict[str, Callable[[Services, Message], Message]]] = {
    "cache read": Services.cache_read,
    "cache write": Services.cache_write,
    "cache discard": Services.cache_discard,
    "footprint": Services.footprint,
    "find emulator": Services.find_emulator,
    "emulator digest": Services.emulator_digest,
    "emulate": Services.emulate,
    "device file": Services.device_file,
    "device begin": Services.device_begin,
    "device end": Services.device_end,
    "device latency": Services.device_latency,
    "device footprint": Services.device_footprint,
    "device throughput": Services.device_throughput,
}


def _emulator(message: Message) -> Emulator | None:
    from sealift_packager.measure.emulation import PROCESSORS, find_emulator

    processor: Processor | None = next(
        (known_processor for known_processor in PROCESSORS if dataclasses.asdict(known_processor) == message.fields.get("processor")), None
    )
    if processor is None:
        raise FrameError("no such processor")
    return find_emulator(processor)


def _required(emulator: Emulator | None) -> Emulator:
    if emulator is None:
        raise FrameError("no emulator")
    return emulator
