"""The whole ablation by one command: plan, time, train piece by piece, write results.md and plots.

Every piece is a folder that is done or goes on from its last epoch, so that the command may be
killed at any moment and called again.
"""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from ml import report as reports
from ml import stage1
from ml.ablation import (
    STARTS,
    Piece,
    Place,
    Report,
    config_of,
    judging_fields,
    pieces,
    run_piece,
    run_stage1,
    settings_of,
    training_fields,
)
from ml.backbones import Pyramid
from ml.config import NetConfig
from ml.crops import read_crops
from ml.data import BadData
from ml.files import read_json
from ml.pretrain import Settings as Stage1
from ml.pretrain import fit
from ml.progress import Cancelled, duration
from ml.train import load_fields, train

# What is timed before the table begins: steps enough to tell, few enough to wait for.
TIMED_FIELDS, TIMED_CROPS = 24, 96
# The backbone that is asked for to see whether ImageNet weights can be had.
ASKED = "resnet18"
# Seconds between two looks at the processes.
LOOK_EVERY = 0.2

Check = Callable[[], None]


@dataclass(frozen=True)
class Job:
    """A piece of work: stage 1 of a backbone, or (with `piece`) one training."""

    place: Place
    backbone: str
    piece: Piece | None = None

    @property
    def name(self) -> str:
        """Name it for people and for --only."""
        return self.piece.name if self.piece else f"stage1-{self.backbone}"

    @property
    def done(self) -> bool:
        """Whether its result is there."""
        if self.piece:
            return self.place.result(self.piece).is_file()
        return (self.place.stage1(self.backbone) / "backbone" / "backbone.json").is_file()

    def refuse_other(self) -> None:
        """Refuse a result that was made at another size, as by --quick, or with other settings.

        Raises:
            BadData: there is one.
        """
        if not self.done:
            return
        size = self.place.size(self.backbone)
        if self.piece:
            told = read_json(self.place.result(self.piece))
            settings = asdict(settings_of(self.place, self.piece))
            settings["start"] = told["settings"]["start"]  # a path, written in one way or another
            same = (told["size"], told["settings"]) == (asdict(size), settings)
        else:
            told = stage1.read(self.place.stage1(self.backbone))
            made = (told["settings"]["epochs"], told["settings"]["limit"], told["input"]["cell_px"])
            same = made == (size.pretrain_epochs, size.crops, size.cell_px)
        if not same:
            raise BadData(
                f"{self.place.out} holds {self.name} made at another size (--quick) or with other "
                "settings. Name another --out, or remove that folder to begin anew."
            )

    def run(self, report: Report, check: Check) -> None:
        """Do it, or go on with it."""
        told = partial(_tell, report, self.name)
        if self.piece:
            run_piece(self.place, self.piece, told, check)
        else:
            run_stage1(self.place, self.backbone, told, check)


def reproduce(
    place: Place,
    *,
    only: Sequence[str] = (),
    jobs: int = 1,
    report: Report = print,
    check: Check = lambda: None,
) -> Path:
    """Make all pieces whose name holds one of `only` (all without), then write the results.

    `jobs` pieces are made side by side, a thread each. Returns the Markdown file.

    Raises:
        BadData: the data cannot be used, nothing is called so, or a piece failed.
        Cancelled: `check` said so; what is done stays.
    """
    judging_fields(place.data)
    imagenet = not place.quick and _imagenet(report)
    chosen = [
        piece
        for piece in pieces(quick=place.quick, imagenet=imagenet)
        if not only or any(text in piece.name for text in only)
    ]
    if not chosen:
        raise BadData(f"No piece is called {' or '.join(only)}. Names look like {_example()}.")
    backbones = sorted({p.backbone for p in chosen if p.start == STARTS[1]})
    first = [Job(place, backbone) for backbone in backbones]
    if first:
        read_crops(place.data / "cells")
    then = [Job(place, piece.backbone, piece) for piece in chosen]
    for job in first + then:
        job.refuse_other()
    left = [job for job in first + then if not job.done]
    report(f"{len(first + then)} pieces, {len(left)} to make, {jobs} at a time")
    if left:
        report("Timing an epoch of each kind")
        seconds = _estimate(left, check)
        report(f"This will take about {duration(seconds / jobs)}. Killed, it goes on when called.")
    for group in (first, then):
        _run([job for job in group if not job.done], jobs, report, check)
    file = reports.write(place, only=only, imagenet=imagenet)
    report(f"Wrote {file}")
    return file


def _imagenet(report: Report) -> bool:
    """Return whether ImageNet weights can be had here."""
    try:
        Pyramid(NetConfig(name=ASKED)).load_imagenet(ASKED)
    except BadData as error:
        report(f"Without ImageNet: {error}")
        return False
    return True


def _run(jobs: Sequence[Job], most: int, report: Report, check: Check) -> None:
    """Do jobs, `most` at a time: one in this process, more in processes of their own."""
    if most == 1:
        for number, job in enumerate(jobs, 1):
            check()
            report(f"Piece {number} of {len(jobs)}: {job.name}")
            job.run(report, check)
        return
    # torch must not be forked once it has computed.
    context = multiprocessing.get_context("spawn")
    waiting, running = list(jobs), dict[str, multiprocessing.process.BaseProcess]()
    try:
        while waiting or running:
            check()
            while waiting and len(running) < most:
                job = waiting.pop(0)
                report(f"Piece {len(jobs) - len(waiting)} of {len(jobs)}: {job.name}")
                running[job.name] = context.Process(target=_child, args=(job,))
                running[job.name].start()
            time.sleep(LOOK_EVERY)
            for name, process in list(running.items()):
                if process.exitcode is None:
                    continue
                del running[name]
                if process.exitcode:
                    raise BadData(f"{name} failed: its last words are above.")
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.join()


def _child(job: Job) -> None:
    """Do a job in a process that ends with the one that started it."""
    parent = multiprocessing.parent_process()

    def check() -> None:
        if parent is None or not parent.is_alive():
            raise Cancelled

    try:
        job.run(partial(print, flush=True), check)
    except BadData as error:
        raise SystemExit(f"{job.name}: {error}") from None


def _estimate(jobs: Sequence[Job], check: Check) -> float:
    """Return how many seconds the jobs will take one after the other, from a few timed steps."""
    known: dict[tuple[str, ...], float] = {}
    total = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        for job in jobs:
            check()
            piece = job.piece
            kind = (job.backbone, piece.head, piece.supervision) if piece else (job.backbone,)
            if kind not in known:
                folder = Path(scratch) / "-".join(kind)
                known[kind] = _time_piece(job, folder) if piece else _time_stage1(job, folder)
                shutil.rmtree(folder, ignore_errors=True)
            total += known[kind]
    return total


def _time_piece(job: Job, folder: Path) -> float:
    """Return the seconds that a piece will take."""
    assert job.piece
    config = config_of(job.place, job.piece)
    fields, _ = training_fields(job.place, job.backbone)
    some = load_fields(fields[:TIMED_FIELDS], config, job.piece.supervision)
    settings = replace(settings_of(job.place, job.piece), epochs=1, start="", weights="none")
    seconds = _seconds(lambda name: train(some, config, settings, folder / name, lambda line: None))
    return seconds / len(some) * len(fields) * job.place.size(job.backbone).epochs


def _time_stage1(job: Job, folder: Path) -> float:
    """Return the seconds that stage 1 will take."""
    size = job.place.size(job.backbone)
    classes, crops = read_crops(job.place.data / "cells")
    teach = [crop for crop in crops if not crop.held_out]
    many = min(size.crops or len(teach), len(teach))
    some = teach[:: max(1, len(teach) // TIMED_CROPS)]
    net, scale = NetConfig(name=job.backbone), size.scale("map")
    settings = Stage1(epochs=1, threads=1)
    seconds = _seconds(
        lambda name: fit(some, classes, net, scale, settings, folder / name, lambda line: None)
    )
    return seconds / len(some) * many * size.pretrain_epochs


def _seconds(work: Callable[[str], object]) -> float:
    """Return how long work takes when it is done a second time: the first one warms up."""
    work("warm")
    started = time.monotonic()
    work("timed")
    return time.monotonic() - started


def _tell(report: Report, name: str, line: str) -> None:
    report(f"{name}: {line}")


def _example() -> str:
    return pieces(quick=True, imagenet=False)[0].name
