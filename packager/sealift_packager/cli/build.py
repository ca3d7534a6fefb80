"""``sealift build``: many models × many profiles from one project file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_core.errors import KeyFileError, PassphraseError
from sealift_core.terminal.commandline import json_option, show
from sealift_core.terminal.logging_options import asked_for
from sealift_core.terminal.printing import say
from sealift_packager.cli.config import trust_option, trusts_project
from sealift_packager.cli.passphrase import passphrase_option, passphrases
from sealift_packager.errors import ProjectError
from sealift_packager.keys.passphrase import OPTION, VARIABLE
from sealift_packager.project.executor import Executor
from sealift_packager.project.file import DEFAULT, pick, read_project
from sealift_packager.project.local import LocalExecutor, default_workers

if TYPE_CHECKING:
    from sealift_packager.project.job import JobOutcome, PackJob


@click.command()
@click.argument("project", type=click.Path(path_type=Path), required=False)
@trust_option
@click.option("--only", multiple=True, metavar="NAME", help="Build only this model. Can be given several times.")
@click.option("--workers", type=click.IntRange(min=1), help="How many models to build at the same time.  [default: one per four cores]")
@click.option("--ray", "ray_address", metavar="ADDRESS", help="Build on this Ray cluster (HOST:PORT, or auto) instead of this machine.")
@click.option(
    "--locked", is_flag=True, help="Measure nothing: use the measurements in the lock files, and reproduce the locked builds byte for byte."
)
@click.option("--force", is_flag=True, help="Replace earlier releases.")
@click.option("--no-cache", is_flag=True, help="Don't use the cache: redo every step and store no results.")
@passphrase_option
@json_option
@click.pass_context
def build(
    context: click.Context,
    project: Path | None,
    *,
    only: tuple[str, ...],
    workers: int | None,
    ray_address: str | None,
    locked: bool,
    force: bool,
    no_cache: bool,
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Build every model of a project file for each of its profiles.

    PROJECT is a TOML file (default: project.toml in the current folder). If a model fails, the others are still built. All failures are reported
    at the end, and the exit code is 7 if any model failed. A worker that dies is replaced. With a model's lock, the bytes are the same wherever
    the model is built.

    If you don't name PROJECT, the project.toml that is found may set nothing that runs code, signs, sends data or overwrites files. To allow
    that, name the file or pass --trust-project.
    """
    if ray_address and passphrase_files:
        raise click.UsageError(f"{OPTION} isn't sent to a Ray cluster: set {VARIABLE} in the environment of its workers.")
    place, named = project or DEFAULT, project is not None or trusts_project(context)
    jobs = pick(read_project(place, named=named, locked=locked, force=force, cache=not no_cache), only)
    cores = len(os.sched_getaffinity(0))
    tells = not as_json and not asked_for().quiet
    stage = _say_stage if tells and not asked_for().verbosity and not os.isatty(2) else None
    executor = _ray(ray_address) if ray_address else _local(workers or default_workers(cores), jobs, passphrase_files, stage)
    finished: dict[str, JobOutcome] = {}
    for outcome in executor.run(jobs):
        finished[outcome.name] = outcome
        if tells:
            say(f"{len(finished)}/{len(jobs)} {_line(outcome)}", error=True)
    outcomes = [finished[job.name] for job in jobs]
    show([finished[job.name].fields() for job in jobs], map(_line, outcomes), as_json=as_json)
    _raise_for(outcomes, str(place))


def _say_stage(text: str) -> None:
    """In a CI job's log, which would else say nothing until a model is done."""
    say(text, error=True)


def _local(workers: int, jobs: Sequence[PackJob], passphrase_files: Sequence[Path], stage: Callable[[str], None] | None) -> Executor:
    """Workers that are given the passphrases of the keys. A wrong one is told before any model is built; a key that can't be read, by its job."""
    collected = passphrases(passphrase_files)
    given: dict[Path, bytes] = {}
    for path in dict.fromkeys(job.key_path for job in jobs if job.key_path):
        try:
            _, passphrase = collected.open(path)
        except PassphraseError:
            raise
        except KeyFileError:
            continue
        if passphrase is not None:
            given[path] = passphrase
    return LocalExecutor(workers, passphrases=given, stage=stage)


def _ray(address: str) -> Executor:
    from sealift_packager.project.on_ray import RayExecutor

    return RayExecutor(address)


def _line(outcome: JobOutcome) -> str:
    if outcome.error is not None:
        return f"✗ {outcome.name}: {outcome.error}"
    chosen = ", ".join(f"{profile} {name}" for profile, name in outcome.chosen.items())
    again = f", after {outcome.attempts} attempts" if outcome.attempts > 1 else ""
    return f"✓ {outcome.name}: {chosen} ({outcome.seconds:.1f} s{again})"


def _raise_for(outcomes: Sequence[JobOutcome], where: str) -> None:
    failed = [outcome.name for outcome in outcomes if not outcome.done]
    if failed:
        raise ProjectError(f"{len(failed)} of {len(outcomes)} models failed", where=where, found=", ".join(failed))
