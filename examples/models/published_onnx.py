"""Published ONNX models as their wheels carry them: voice activity, OCR, detection, pitch, file types, captchas, quality of speech.

The graphs are packed as they are. The packages' code never runs, and what they depend on isn't installed (see requirements.txt). Each is served and
held against onnxruntime on the original file, at two batch sizes and two lengths where these are free.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import files
from pathlib import Path
from typing import Any

import numpy as np
from answers import of_graph
from catalog import Array, Made, example

FAMILY = "ONNX, published"
Request = dict[str, Array]
Sizes = tuple[int, ...]
RATE = 16_000


def _graph(package: str, name: str) -> Path:
    matches = [file for file in files(package) or () if file.name == name]
    if not matches:
        raise FileNotFoundError(f"{package} has no {name}")
    return Path(str(matches[0].locate()))


def sound(*shape: int) -> Array:
    """Tones with overtones and some noise, in -1..1, along the last dimension."""
    draw, time = np.random.default_rng(0), np.arange(shape[-1]) / RATE
    pitch = draw.uniform(80, 400, (*shape[:-1], 1))
    tones = sum(np.sin(2 * np.pi * number * pitch * time) / number for number in range(1, 6)) / 3
    return np.asarray(tones + draw.normal(0, 0.01, shape)).astype(np.float32)


def image(*shape: int) -> Array:
    """Smooth spots in 0..1."""
    draw, (height, width) = np.random.default_rng(0), shape[-2:]
    y, x = np.mgrid[0:height, 0:width]
    spots = [np.exp(-((y - draw.uniform(0, height)) ** 2 + (x - draw.uniform(0, width)) ** 2) / (width * 4)) for _ in range(12)]
    return np.asarray(np.clip(sum(spots) + draw.normal(0, 0.05, shape), 0, 1)).astype(np.float32)


def register(name: str, package: str, file: str, make: Callable[..., Request], sizes: Sequence[Sizes], **options: Any) -> None:
    """Put a published graph into the list, with its requests of these sizes."""

    @example(name, FAMILY)
    def build(_: Path) -> Made:
        graph = _graph(package, file)
        return Made(model=graph, data=None, options=options, requests=tuple(make(*size) for size in sizes), answers=of_graph(graph))


def _voice(rows: int, samples: int, rate: int) -> Request:
    return {**_voice_at_16k(rows, samples), "sr": np.array(rate, np.int64)}


def _voice_at_16k(rows: int, samples: int) -> Request:
    return {"input": sound(rows, samples), "state": np.zeros((2, rows, 128), np.float32)}


def _voice_sequence(steps: int) -> Request:
    return {"input": sound(steps, 576), **{name: np.zeros((1, 1, 128), np.float32) for name in ("h", "c")}}


def _echo(width: int) -> Callable[[int], Request]:
    return lambda frames: {"input": sound(1, 3, frames, 160), "h0": np.zeros((4, 1, width), np.float32)}


def _concealment(rows: int, frames: int) -> Request:
    return {"degraded_audio": sound(rows, 1, frames, 257), "rater_embed": np.random.default_rng(0).normal(size=(rows, 64)).astype(np.float32)}


def _bytes(rows: int) -> Request:
    return {"bytes": np.random.default_rng(0).integers(0, 257, (rows, 2048)).astype(np.int32)}


def _images(name: str) -> Callable[..., Request]:
    return lambda *shape: {name: image(*shape)}


def _sounds(name: str) -> Callable[..., Request]:
    return lambda *shape: {name: sound(*shape)}


BOTH_RATES = ((1, 576, 16_000), (3, 576, 16_000), (2, 288, 8_000))
PAGES = ((1, 3, 160, 224), (2, 3, 96, 64))
TURNS = ((1, 3, 48, 192), (3, 3, 32, 100))
LINES = ((1, 3, 48, 320), (2, 3, 48, 200))

register("magika", "magika", "model.onnx", _bytes, ((1,), (4,)))
register("silero-vad", "silero-vad", "silero_vad.onnx", _voice, BOTH_RATES)
register("silero-vad-ifless", "silero-vad", "silero_vad_op18_ifless.onnx", _voice, BOTH_RATES)
register("silero-vad-16k", "silero-vad", "silero_vad_16k_op15.onnx", _voice, ((1, 576, 16_000), (3, 576, 16_000)))
register("silero-vad-half", "silero-vad", "silero_vad_half.onnx", _voice_at_16k, ((1, 576), (3, 576)))
register("silero-vad-openvino", "silero-vad", "silero_vad_openvino_16k.onnx", _voice_at_16k, ((1, 576),))
register("silero-vad-sequence", "silero-vad", "silero_vad_16k_sequence.onnx", _voice_sequence, ((1,), (9,)))
register("ppocr-v6-detection", "rapidocr", "PP-OCRv6_det_small.onnx", _images("x"), PAGES)
register("ppocr-v6-recognition", "rapidocr", "PP-OCRv6_rec_small.onnx", _images("x"), LINES)
register("ppocr-v2-direction", "rapidocr", "ch_ppocr_mobile_v2.0_cls_mobile.onnx", _images("x"), TURNS)
register("ppocr-v4-detection", "rapidocr-onnxruntime", "ch_PP-OCRv4_det_infer.onnx", _images("x"), PAGES)
register("ppocr-v4-recognition", "rapidocr-onnxruntime", "ch_PP-OCRv4_rec_infer.onnx", _images("x"), LINES)
register("ppocr-v2-direction-onnxruntime", "rapidocr-onnxruntime", "ch_ppocr_mobile_v2.0_cls_infer.onnx", _images("x"), TURNS)
register("basic-pitch", "basic-pitch", "nmp.onnx", lambda rows: {"serving_default_input_2:0": sound(rows, 43844)[..., None]}, ((1,), (2,)))
register("nudenet", "nudenet", "320n.onnx", _images("images"), ((1, 3, 320, 320), (2, 3, 256, 320)))
register("ddddocr", "ddddocr", "common.onnx", _images("input1"), ((1, 1, 64, 160), (1, 1, 64, 96)))
register("ddddocr-old", "ddddocr", "common_old.onnx", _images("input1"), ((1, 1, 64, 160), (1, 1, 64, 96)))
register("ddddocr-detection", "ddddocr", "common_det.onnx", _images("images"), ((1, 3, 416, 416),))
register("aecmos-48k", "speechmos", "Run_1668423760_Stage_0.onnx", _echo(96), ((50,), (80,)))
register("aecmos-16k", "speechmos", "Run_1663829550_Stage_0.onnx", _echo(64), ((50,), (80,)))
register("aecmos-16k-scenarios", "speechmos", "Run_1663915512_Stage_0.onnx", _echo(64), ((50,), (80,)))
register("dnsmos", "speechmos", "sig_bak_ovr.onnx", _sounds("input_1"), ((1, 144160), (2, 144160)))
register("dnsmos-v8", "speechmos", "model_v8.onnx", _sounds("input_1"), ((1, 900, 120), (2, 900, 120)))
register("plcmos", "speechmos", "plcmos_v2.onnx", _concealment, ((1, 60), (1, 90)), shape=("degraded_audio:0=1",))  # no rows in the answer to one row
