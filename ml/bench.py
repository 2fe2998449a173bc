"""How fast a bundle counts on this computer, and how much of the processor it uses.

Rates are those of the fastest of several rounds: what else runs on a computer can only slow a
round down. The 95th percentile is over all rounds, the slow ones too. With one thread, processor
time is taken, which is what a clock on the wall shows when nothing else runs.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from ml.data import BadData
from ml.look import look, to_input
from ml.optics import density
from ml.predict import Predictor
from ml.processor import name as processor
from ml.synthetic import render_slide

# What is timed by default: fields of the size and the width of red cells of the BCCD data set.
WIDTH, HEIGHT, CELL_PX = 640, 480, 104.0
# About as a camera stores them, and how many are given at a time.
JPEG_QUALITY = 95
BATCHES = (1, 4, 8, 16)
# Side of the square matrices whose product shows what the processor can do at most.
MATRIX = 2048
# Rounds timed at least: one alone may have been disturbed.
LEAST_ROUNDS = 3
# A worker's resident memory is read after this many fields, one at a time.
WARM_FIELDS = 20


def bench(
    bundle: Path,
    *,
    threads: Sequence[int] = (1, 2),
    images: Path | None = None,
    fields: int = 16,
    seconds: float = 1.0,
) -> dict[str, Any]:
    """Measure a bundle, on the first JPEG files of a folder or else on drawn fields.

    fields: how many. seconds: for each of the rates, at least.

    Raises:
        BadBundle: the bundle cannot be used.
        BadData: the folder holds no JPEG file.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = _drawn(Path(folder), fields) if images is None else _found(images)[:fields]
        # In a process of its own, before this one has grown: as a worker starts.
        fresh = _fresh(bundle, paths)
        predictor = Predictor(bundle)
        inputs, flops = _inputs(predictor, paths)
        rows = {
            number: _with_threads(predictor, paths, inputs, flops, number, seconds)
            for number in threads
        }
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "torch": torch.__version__.split("+")[0],
        "fields": len(paths),
        "flops_per_field": flops,
        "start": fresh,
        "threads": rows,
    }


def table(told: dict[str, Any]) -> str:
    """Return the measures as lines for people."""
    lines = [
        f"{told['processor']}, {told['cores']} cores, torch {told['torch']}",
        f"{told['flops_per_field'] / 1e9:.2f} GFLOP a field",
        "start: import {import_s:.2f} s, load {load_s:.2f} s, first field {first_field_s:.2f} s, "
        "resident {peak_mib:.0f} MiB".format(**told["start"]),
    ]
    head = ("threads", "", "one field at a time", "best batch", "share of peak", "p95 of one field")
    rows = [head]
    for number, row in told["threads"].items():
        model, whole = row["model"], row["jpeg_to_counts"]
        share = f"{row['share_of_peak']:.0%} of {row['peak_gflops']:.0f} GFLOP/s"
        rows.append((str(number), "net", *_rates(model), share, ""))
        rows.append(("", "JPEG to counts", *_rates(whole), "", f"{row['p95_ms']:.1f} ms"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _rates(row: dict[str, Any]) -> tuple[str, str]:
    best = row["best"]
    return f"{row['single']:.0f} fields/s", f"{best['rate']:.0f} fields/s ({best['batch']})"


def _drawn(folder: Path, fields: int) -> list[Path]:
    """Write drawn fields as JPEG files."""
    paths = []
    slide = render_slide(0, fields, width=WIDTH, height=HEIGHT, cell_px=CELL_PX)
    for number, field in enumerate(slide):
        paths.append(folder / f"{number}.jpg")
        field.image.save(paths[-1], "JPEG", quality=JPEG_QUALITY)
    return paths


def _found(folder: Path) -> list[Path]:
    # Cameras write .JPG.
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    if not paths:
        raise BadData(f"{folder} holds no JPEG file to count in.")
    return paths


def _inputs(predictor: Predictor, paths: Sequence[Path]) -> tuple[torch.Tensor, int]:
    """Return a batch as the net gets it, of the scale found in the first field, and the
    floating-point operations for one of it.
    """
    config = predictor.bundle.config
    work = predictor.prepare(paths[0], None)
    look(predictor.net, [work], config)
    one = to_input([density(work.pixels, work.light, config.input)])
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        predictor.net(one)
    return one.repeat(max(BATCHES), 1, 1, 1), int(counter.get_total_flops())


def _with_threads(
    predictor: Predictor,
    paths: Sequence[Path],
    inputs: torch.Tensor,
    flops: int,
    threads: int,
    seconds: float,
) -> dict[str, Any]:
    torch.set_num_threads(threads)
    peak = _peak(seconds)
    model, whole, single = {}, {}, []
    for batch in BATCHES:
        part = inputs[:batch].contiguous(memory_format=torch.channels_last)
        model[batch] = batch / min(rounds(partial(_run, predictor, part), seconds))
        groups = [paths[i : i + batch] for i in range(0, len(paths), batch)]
        groups = [group for group in groups if len(group) == batch] or [paths]
        times = [
            rounds(partial(predictor.predict, group), seconds / len(groups)) for group in groups
        ]
        whole[batch] = sum(map(len, groups)) / sum(map(min, times))
        if batch == 1:
            single = [value for one in times for value in one]
    return {
        "peak_gflops": peak / 1e9,
        "model": _told(model),
        "jpeg_to_counts": _told(whole),
        "share_of_peak": max(model.values()) * flops / peak,
        "p95_ms": float(np.quantile(single, 0.95)) * 1000,
    }


def _told(rates: dict[int, float]) -> dict[str, Any]:
    best = max(rates, key=lambda batch: rates[batch])
    return {"single": rates[1], "best": {"batch": best, "rate": rates[best]}}


@torch.inference_mode()
def _run(predictor: Predictor, part: torch.Tensor) -> None:
    predictor.net(part)


def _peak(seconds: float) -> float:
    """Return the floating-point operations per second of a large matrix product (float32)."""
    a, b = torch.ones(2, MATRIX, MATRIX)
    return float(2 * MATRIX**3 / min(rounds(lambda: a @ b, seconds)))


def rounds(work: Callable[[], object], seconds: float) -> list[float]:
    """Return the seconds each of several rounds took, after one to warm up: `LEAST_ROUNDS` at
    least, and as many as fill `seconds`.
    """
    # One thread's own time is what it takes alone on the computer, whoever else is there.
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    work()
    times: list[float] = []
    while len(times) < LEAST_ROUNDS or sum(times) < seconds:
        began = clock()
        work()
        times.append(clock() - began)
    return times


def _fresh(bundle: Path, paths: Sequence[Path]) -> dict[str, float]:
    """Return what a new process needs until it has counted, and its resident memory."""
    # It runs in the repository: a path relative to here would lead elsewhere there.
    arguments = [str(time.time()), *(str(path.resolve()) for path in (bundle, *paths))]
    done = subprocess.run(
        [sys.executable, "-c", "from ml.bench import fresh; fresh()", *arguments],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        # The bundle's own sentence: loading it here raises it anew.
        Predictor(bundle)
        raise RuntimeError(done.stderr)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def fresh() -> None:
    """Be the new process of `_fresh`: told when it was started, the bundle and pictures, it
    answers in JSON.
    """
    started, bundle, *paths = sys.argv[1:]
    imported = time.time() - float(started)
    began = time.perf_counter()
    predictor = Predictor(bundle, 1)
    loaded = time.perf_counter()
    predictor.predict([Path(paths[0])])
    first = time.perf_counter()
    for number in range(WARM_FIELDS):
        predictor.predict([Path(paths[number % len(paths)])])
    told = {
        "import_s": imported,
        "load_s": loaded - began,
        "first_field_s": first - loaded,
        "peak_mib": _peak_memory() / 2**20,
    }
    print(json.dumps(told))


def _peak_memory() -> int:
    """Return the most bytes of memory this process has held.

    Linux's getrusage tells the peak of the process that started this one where that was larger.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
