"""The pictures in docs/images: the terminal, the hub's page of a device, and the report of a build, all of a real run of the demo.

Run by ``make screenshots``. It runs the demo in ``.demo`` and leaves it running meanwhile; it needs Chromium, which is a tool here and nothing that
Sealift depends on. With ``--demo LOG`` it takes a demo that runs already (``KEEP=1 make demo | tee LOG``), from the folder where that was started.
"""

from __future__ import annotations

import argparse
import html
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import requests
from PIL import Image

FOLDER: Final = Path(__file__).parent
BIN: Final = Path(sys.executable).parent
#: Steps of the demo that the terminal shows, by how their titles begin.
SHOWN: Final = ("Publish version 1.1.0", "Publish version 1.2.0")
COLUMNS: Final = 110
FONT: Final = "ui-monospace, Menlo, Consolas, monospace"
LIMIT_BYTES: Final = 150_000
STYLES: Final = {"── ": "#e6edf3", "   $ ": "#7ee787", "   ✓ ": "#79c0ff", "": "#9da7b3"}


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description="Make the pictures in docs/images from a run of the demo.")
    parser.add_argument("--demo", type=Path, metavar="LOG", help="the output of a demo that was started with KEEP=1 and still runs")
    log = parser.parse_args().demo
    output = log.read_text(encoding="utf-8") if log else run_demo()
    try:
        (FOLDER / "terminal.svg").write_text(terminal(shown_lines(output)), encoding="utf-8")
        hub = re.search(r"dashboard +(http://\S+)", output)
        if hub is None:
            raise SystemExit("error: the demo named no dashboard. Look at its output.")
        device = requests.get(f"{hub[1]}api/v1/devices", timeout=10).json()["devices"][0]["id"]
        shoot(f"{hub[1]}devices/{device}", "device.png", 1100)
        shoot(f"file://{report(output)}", "report.png", 1100)
    finally:
        if log is None:
            stop(output)


def run_demo() -> str:
    """Run the demo, which leaves its hub and its agent running; what it printed."""
    print("Running the demo (some minutes) …", flush=True)
    done = subprocess.run([sys.executable, "examples/demo"], env={**os.environ, "KEEP": "1"}, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def stop(output: str) -> None:
    """End what the demo left running."""
    for process in re.findall(r"End them with: kill ([\d ]+)", output)[0].split():
        os.kill(int(process), signal.SIGTERM)


def report(output: str) -> Path:
    """The report of the demo's first build, which is made again from the cache."""
    command = next(line for line in output.splitlines() if line.startswith("   $ sealift pack") and "--version 1.0.0" in line)
    words = re.sub(r"--out \S+", "--out .demo/again --force --report .demo/report", command.removeprefix("   $ sealift ")).split()
    subprocess.run([BIN / "sealift", *words], check=True, stdout=subprocess.DEVNULL)
    return Path(".demo/report/report.html").absolute()


def shoot(url: str, name: str, height: int) -> None:
    """A picture of a page, in few colours, because it is stored with the sources."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("error: Chromium isn't installed. On Debian: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "page.png"
        options = (
            "--headless",
            "--no-sandbox",
            "--disable-background-networking",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
            f"--window-size=1200,{height}",
        )
        subprocess.run([browser, *options, f"--screenshot={picture}", url], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (FOLDER / name).write_bytes(small(Image.open(picture)))


def small(picture: Image.Image) -> bytes:
    """A PNG of as many colours as fit the limit."""
    for colours in (128, 64, 32, 16):
        buffer = io.BytesIO()
        picture.convert("RGB").quantize(colours, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        if buffer.tell() < LIMIT_BYTES:
            break
    return buffer.getvalue()


def shown_lines(output: str) -> list[str]:
    """The lines of the shown steps, long ones wrapped as a terminal does."""
    steps = [step for step in re.split(r"\n(?=── )", output) if step.startswith(tuple(f"── {title}" for title in SHOWN))]
    # what `pack` prints is in the report's picture
    short = [re.sub(r"(?m)^   \$ sealift pack .*\n(?!   [$✓])(?:     .*\n)*", "", step) for step in steps]
    lines = [line for step in short for line in [*step.replace(f"{Path.cwd()}/", "").rstrip().splitlines(), ""]]
    return [line[start : start + COLUMNS] for line in lines[:-1] for start in range(0, max(len(line), 1), COLUMNS)]


def terminal(lines: Sequence[str]) -> str:
    """Lines of a terminal as an SVG, in the reader's own monospaced font."""
    width, height, step = COLUMNS * 8 + 40, len(lines) * 19 + 64, 19
    texts = [
        f'<text x="20" y="{56 + number * step}" fill="{colour(line)}" xml:space="preserve" textLength="{len(line) * 8}" '
        f'lengthAdjust="spacingAndGlyphs">{html.escape(line)}</text>'
        for number, line in enumerate(lines)
        if line.strip()
    ]
    lights = "".join(f'<circle cx="{place}" cy="20" r="6" fill="{fill}"/>' for place, fill in ((24, "#ff5f56"), (44, "#ffbd2e"), (64, "#27c93f")))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="{FONT}" font-size="13">'
    return "\n".join((head, f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>{lights}', *texts, "</svg>\n"))


def colour(line: str) -> str:
    """What a line is drawn in: titles, commands, checks, output."""
    return next(fill for start, fill in STYLES.items() if line.startswith(start))


if __name__ == "__main__":
    main()
