"""``sealift pack``: a trained model goes in, a release comes out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealift_core.terminal.commandline import json_option, show
from sealift_packager.cli.config import config_option
from sealift_packager.cli.passphrase import passphrase_option
from sealift_packager.model.detect import FORMATS

if TYPE_CHECKING:
    from sealift_packager.build.packed import Packed
    from sealift_packager.build.request import PackRequest

_PATH = click.Path(path_type=Path)
_DATA = (
    "Holdout data: .npz, .csv, .tsv, .jsonl, .parquet, .feather, a folder of images, or a function that returns it (module:function or "
    "file.py:function). Without it, only fp32 is built and nothing is evaluated."
)


class _Numbers(click.ParamType):  # type: ignore[type-arg]  # before click 8.4 it takes no parameter
    """Numbers with commas between."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(word) for word in str(value).split(",") if word.strip())
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers such as 0.485,0.456,0.406.", param, ctx)


@click.command(short_help="Convert a model, check and quantize it, and write a release.")
@config_option
@click.argument("model", type=_PATH)
@click.option("--format", help="The format of MODEL, if it can't be detected from the content: " + ", ".join(FORMATS) + ".")
@click.option("--name", required=True, help="The model's name.")
@click.option("--version", required=True, help="The release's version (semantic, such as 1.4.0).")
@click.option("--profile", "profiles", required=True, multiple=True, help="A hardware profile, by name or by path. Can be given several times.")
@click.option(
    "--objective",
    multiple=True,
    metavar="NAME",
    help="An objective, used in place of those in the profiles. Can be given several times, the most important first: latency_p50, "
    "latency_p99, memory, size, load_time, accuracy.",
)
@click.option("--out", required=True, type=_PATH, help="Folder to write the release to (an OCI layout).")
@click.option("--data", type=_PATH, help=_DATA)
@click.option("--target", default="target", show_default=True, help="The column or array of the data that holds the target.")
@click.option(
    "--image-mean",
    type=_Numbers(),
    default=(),
    help="For images, whose values are scaled to 0 to 1: the mean to subtract, one number or one per channel.",
)
@click.option("--image-std", type=_Numbers(), default=(), help="For images: the standard deviation to divide by after subtracting the mean.")
@click.option(
    "--golden-from",
    type=_PATH,
    help="Data in the format of --data with a few rows to use as golden cases. Anyone who has a bundle can read them.  [default: synthetic "
    "rows that resemble the data]",
)
@click.option(
    "--metric",
    help="accuracy, f1, auc, mae, rmse, r2, cosine or agreement (with the source model; needs no target), or module:function.  [default: "
    "accuracy or rmse]",
)
@click.option(
    "--output",
    metavar="NAME",
    help="The output that the metric judges, if several could be meant. All other outputs are compared with the source model's.",
)
@click.option(
    "--max-drop",
    type=float,
    help="The largest loss to accept, in the metric's unit. The upper end of the loss's 95 % interval must not exceed it. accuracy, f1 and "
    "agreement need about 3 / LOSS rows (0.01: 299, 0.003: 998); 0 allows no changed label on the rows you give.  [default: 0.01; 1 % for "
    "mae, rmse and metrics of your own]",
)
@click.option("--key", type=_PATH, help="Sign with this private key (PEM).")
@passphrase_option
@click.option("--trust-pickle", is_flag=True, help="Read joblib and pickle files. Opening them runs the code in them.")
@click.option("--factory", help="For a file of weights: the function that builds the torch module, as module:function or file.py:function.")
@click.option(
    "--state-key",
    metavar="KEY",
    help="For a checkpoint with several sets of weights: the entry to pack, such as model_ema or state_dict.generator.  [default: the only one "
    "that fits the module]",
)
@click.option("--allow-extra", is_flag=True, help="For a file of weights: leave out those that the module doesn't have. None may be missing.")
@click.option(
    "--dynamic",
    multiple=True,
    metavar="INPUT:AXIS",
    help="For torch weights and TorchScript: a free dimension besides the batch, such as ids:1. Dimensions of equal size share a symbol, such "
    "as ids:1=tokens. Can be given several times.",
)
@click.option(
    "--shape",
    multiple=True,
    metavar="INPUT:AXIS=SIZES",
    help="For ONNX: the sizes that a free dimension takes, if not every size works: 576, 576,1024, 32..640, *32 (multiples) or 32..640*32, such as "
    "images:2=*32. INPUT:0=1 says that the model takes one row per request, and INPUT=VALUE gives the value of an input such as sr=16000. Can be "
    "given several times.  [default: sizes are searched for]",
)
@click.option(
    "--example",
    type=_PATH,
    multiple=True,
    help="For ONNX and TorchScript: a file with a whole request that the model answers, for the comparison with the source: .npz, .npy or .json, "
    "with an array per input, states and single numbers included. Arguments of TorchScript that aren't tensors become constants. Can be given "
    "several times.",
)
@click.option(
    "--inputs",
    metavar="columns|array",
    help="How a table's columns are taken: an input for each, or one array of them all.  [default: one array, if all are numbers that float32 holds; "
    "else columns]",
)
@click.option("--description", default="", help="What the model does, for its card.")
@click.option("--license", "license_name", default="", help="The model's license (an SPDX name).")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="The seed for drawing calibration rows and golden cases.")
@click.option(
    "--measure-seconds",
    type=float,
    default=4.0,
    show_default=True,
    help="How long to compare candidates on a machine that fits the profile. On a busy machine, a longer time gives more reliable results.",
)
@click.option(
    "--model-timeout",
    type=float,
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="How long reading the model, or answering one request, may take before the build gives up. Large files get more time.",
)
@click.option(
    "--no-sandbox",
    is_flag=True,
    help="Read and run the model outside the sandbox, with all of your user's permissions. Use it if your own --metric needs files or the network.",
)
@click.option("--force", is_flag=True, help="Replace an earlier release at --out.")
@click.option(
    "--lock",
    type=_PATH,
    help="The file to write the measurements behind the choice to.  [default: sealift.lock beside the sealift.toml, or OUT.lock if there is none]",
)
@click.option("--locked", is_flag=True, help="Measure nothing: use the measurements in the lock file, and reproduce the locked build byte for byte.")
@click.option("--report", type=_PATH, help="Write report.html and report.json to this folder.")
@click.option(
    "--measure-on",
    multiple=True,
    metavar="URL#DEVICE-ID",
    help="Measure what this machine can't on a device whose agent listens at URL. PROFILE=URL#DEVICE-ID uses the device for one profile only. "
    "The device must trust --key.",
)
@click.option("--no-cache", is_flag=True, help="Don't use the cache: redo every step and store no results.")
@json_option
def pack(*, as_json: bool, config: Path | None, lock: Path | None, locked: bool, report: Path | None, no_cache: bool, **options: Any) -> None:
    """Convert MODEL to ONNX, check its answers, quantize it for each profile, and write a release.

    MODEL is a scikit-learn model (joblib, pickle, skops), an XGBoost, LightGBM or CatBoost model, a torch exported program (.pt2), TorchScript,
    torch weights (.pt, .safetensors) with --factory, or ONNX. The format is detected from the content.

    You can also set every option in a sealift.toml, in its table [pack], under the option's name; the command line takes precedence. Results are
    cached by content in SEALIFT_CACHE (default: the user's cache folder), so a second run is quick and an interrupted run resumes.
    """
    from sealift_packager.progress.importing import importing

    with importing():
        from sealift_packager.build.isolated import pack as run
        from sealift_packager.cache.store import default_store
        from sealift_packager.cli.progress import progress_on_stderr
        from sealift_packager.lock.lockfile import check_writable, default_place, read_lock, write_lock

    request = _request(**options)
    place = lock or default_place(request.out.absolute(), config)
    given = read_lock(place) if locked else None
    check_writable(place, request.name)
    packed = run(request, progress_on_stderr(as_json=as_json), cache=None if no_cache else default_store(), lock=given)
    if given is None:
        write_lock(packed.lock, place)
    if report is not None:
        from sealift_packager.report.write import write_report

        write_report(packed, report)
    show(_json(packed) | {"lock": str(place)}, [*_lines(packed), f"Measurements: {place}"], as_json=as_json)


def _request(
    *,
    profiles: tuple[str, ...],
    objective: tuple[str, ...],
    measure_on: tuple[str, ...],
    key: Path | None,
    passphrase_files: tuple[Path, ...],
    license_name: str,
    no_sandbox: bool,
    **options: Any,
) -> PackRequest:
    from sealift_packager.build.request import PackRequest
    from sealift_packager.cli.passphrase import passphrases
    from sealift_packager.measure.device_address import DeviceAddress
    from sealift_packager.profiles.library import load_profile

    collected = passphrases(passphrase_files)
    signer = collected.check(key) if key else None
    devices = tuple(DeviceAddress.parse(text) for text in measure_on)
    loaded = tuple(load_profile(name, objective) for name in profiles)
    return PackRequest(profiles=loaded, measure_on=devices, signer=signer, license=license_name, sandbox=not no_sandbox, **options)


def _json(packed: Packed) -> dict[str, Any]:
    from sealift_packager.cli.tables import manifest_json

    release = packed.release
    return {
        "name": release.name,
        "version": release.version,
        "directory": str(packed.directory),
        "digest": str(packed.digest),
        "signed_by": release.public_key.fingerprint if release.public_key else None,
        "notes": list(packed.notes),
        "bundles": [
            {"profile": ref.profile, "digest": str(ref.manifest.digest), "manifest": manifest_json(packed.manifests[ref.profile])}
            for ref in release.bundles
        ],
    }


def _lines(packed: Packed) -> list[str]:
    from sealift_packager.cli.tables import candidates_table

    release = packed.release
    tables = [line for ref in release.bundles for line in candidates_table(packed.manifests[ref.profile])]
    signed = f"signed by {release.public_key.fingerprint[:16]}…" if release.public_key else "not signed (pass --key)"
    return [*tables, *packed.notes, f"{release.name} {release.version}: {packed.directory}", f"{packed.digest}, {signed}"]
