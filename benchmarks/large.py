"""Memory and time that a picture of 100 megapixels takes of a running installation.

    .venv/bin/python -m benchmarks.large

Starts what `make run` starts, uploads a field of 10,000 x 10,000 pixels with 9,600 cells, as JPEG
and as PNG, waits for its prediction and its tiles, and reads the high-water marks of the processes.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from PIL import Image

from benchmarks.proc import family
from ml.synthetic import render
from tests.counting.pictures import encoded
from tests.scripts import Script
from tests.stack import Prepared
from tests.waiting import wait_until

SIDE = 10_000
PART = 2_500
ROLES = ("web", "inference")
FILES = {"JPEG": {"quality": 90}, "PNG": {"compress_level": 1}}


def field(turn: int) -> Image.Image:
    """Return a field of 16 parts, each drawn once and turned; another turn, another field."""
    parts = [
        render(seed, width=PART, height=PART, red_cells=600, white_cells=4, cell_px=60.0).image
        for seed in range(2)
    ]
    whole = Image.new("RGB", (SIDE, SIDE))
    for number in range(16):
        column, row = number % 4, number // 4
        part = parts[(column + row) % 2].rotate(90 * (number + turn))
        whole.paste(part, (column * PART, row * PART))
    return whole


def memory(pid: int, name: str) -> int:
    """Return MiB of the largest process that `pid` started: VmHWM, its peak, or VmRSS, now."""
    sizes = []
    for each in family(pid):
        lines = Path(f"/proc/{each}/status").read_text().splitlines()
        sizes.append(int(next(line for line in lines if line.startswith(name)).split()[1]))
    return max(sizes) // 1024


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, Prepared(Path(folder)).copy() as stack:
        stack.start()
        script = Script.sign_in(stack)
        slide = script.new_slide("Large")
        pids = {role: stack.children[role].process.pid for role in ROLES}
        print("before:", {role: memory(pid, "VmRSS") for role, pid in pids.items()}, "MiB")
        for turn, (kind, options) in enumerate(FILES.items()):
            measure(script, slide, pids, encoded(field(turn), kind, **options), kind)


def measure(script: Script, slide: int, pids: dict[str, int], data: bytes, kind: str) -> None:
    """Upload one file and print what it took."""
    began = time.monotonic()
    made = f"/api/v1/fields/{script.upload(slide, data, f'large.{kind.lower()}')}/"
    uploaded = time.monotonic()
    wait_until(lambda: script.get(made)["state"] == "predicted", 600, "the prediction")
    wait_until(lambda: script.get(made)["tiles"]["state"] == "succeeded", 600, "the tiles")
    done = time.monotonic()
    print(f"{kind} of {len(data) / 1e6:.0f} MB: uploaded in {uploaded - began:.1f} s,", end=" ")
    print(f"predicted and in tiles {done - uploaded:.1f} s later")
    for role, pid in pids.items():
        print(f"  {role}: peak {memory(pid, 'VmHWM')}, now {memory(pid, 'VmRSS')} MiB")


if __name__ == "__main__":
    main()
