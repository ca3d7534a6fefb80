"""Interpreters that are broken as installations are: a library is missing, too old, or takes the process with it."""

from __future__ import annotations

import sys
from pathlib import Path


def broken_interpreter(path: Path, statements: str) -> Path:
    """A program that is Python, but runs some statements first."""
    lines = ["import ctypes, os, runpy, sys", "sys.argv = sys.argv[sys.argv.index('-m') + 1 :]", statements]
    lines.append("runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)")
    path.write_text("\n".join([f"#!{sys.executable}", *lines]) + "\n")
    path.chmod(0o755)
    return path
