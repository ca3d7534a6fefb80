"""Nothing prints or logs but through `sealift_core.terminal.printing`, so that no new call can forget to escape."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.help_pages import ROOT

PACKAGES = [ROOT / wheel / f"sealift_{wheel}" for wheel in ("core", "runtime", "packager", "hub")]
SOURCES = {path.relative_to(ROOT).as_posix(): path for package in PACKAGES for path in sorted(package.rglob("*.py"))}
SEAM = "core/sealift_core/terminal/printing.py"
#: Who may use what, and why.
ALLOWED = {
    (SEAM, "print"): "it is the seam",
    (SEAM, "sys.stdout"): "it is the seam",
    (SEAM, "sys.stderr"): "it is the seam",
    ("packager/sealift_packager/cli/console.py", "Console"): "rich, with markup off",
    ("packager/sealift_packager/cli/passphrase.py", "click.prompt"): "a question about a path that the user gave",
    ("packager/sealift_packager/progress/quiet.py", "sys.stdout"): "turned away from, not written to",
    ("packager/sealift_packager/progress/quiet.py", "sys.stderr"): "turned away from, not written to",
    ("packager/sealift_packager/project/worker.py", "sys.stderr"): "what libraries print is sent there, which the parent reads",
    ("runtime/sealift_runtime/cli/run.py", "sys.stdout"): "flushed before another process takes over",
}
NAMES = frozenset({"print", "echo", "secho", "breakpoint"})
DOTTED = frozenset({
    "click.echo", "click.secho", "click.prompt", "click.confirm", "click.echo_via_pager", "sys.stdout", "sys.stderr", "sys.__stdout__",
    "sys.__stderr__", "traceback.print_exc", "traceback.print_exception", "traceback.print_stack", "logging.StreamHandler", "logging.basicConfig",
    "rich.print", "pprint.pprint", "faulthandler.enable",
})  # fmt: skip


def uses(tree: ast.AST) -> Iterator[str]:
    """Every way to a terminal or a log that a module names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in NAMES:
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and f"{node.value.id}.{node.attr}" in DOTTED:
            yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Console"):
            yield "Console"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "os.write" and ast.unparse(node.args[0]) in ("1", "2"):
            yield "os.write"


def test_a_way_to_a_terminal_is_seen_by_this_test() -> None:
    text = "print(x)\nclick.echo(x)\nfrom click import echo\necho(x)\nsys.stderr.write(x)\nlogging.basicConfig()\nConsole().print(x)\nos.write(2, x)"
    assert set(uses(ast.parse(text))) == {"print", "click.echo", "echo", "sys.stderr", "logging.basicConfig", "Console", "os.write"}


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_prints_and_logs_through_the_seam_alone(name: str) -> None:
    forbidden = {use for use in uses(ast.parse(SOURCES[name].read_text(encoding="utf-8"))) if (name, use) not in ALLOWED}
    assert not forbidden, f"use sealift_core.terminal.printing (say, say_json, log_to_stderr) instead of {', '.join(sorted(forbidden))}"


def test_every_exception_is_still_needed() -> None:
    used = {(name, use) for name, path in SOURCES.items() for use in uses(ast.parse(path.read_text(encoding="utf-8")))}
    assert set(ALLOWED) <= used


def test_the_sources_are_where_this_test_looks() -> None:
    assert len(SOURCES) > 300
    assert Path(ROOT, SEAM).is_file()
