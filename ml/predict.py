"""Count the cells of pictures with a model bundle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ml import calibrate, peaks, pictures, processor, quality
from ml.bundle import BadBundle, Bundle, load
from ml.crew import ALONE, Crew, gathered
from ml.look import MAX_WORK, Work, look, prepare
from ml.nets import STRIDE, Counter
from ml.optics import Floats, hue, lamp

# A picture with its micrometers per pixel, where known.
Given = tuple[Image.Image | Path, float | None]


@dataclass(frozen=True)
class Count:
    """The count of one cell type: whole, with its 90 % interval, and as the net gave it.

    deviation: the standard deviation of its error, in cells; None where the bundle is of before.
    """

    value: int
    low: int
    high: int
    raw: float
    deviation: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        told = {"value": self.value, "low": self.low, "high": self.high, "raw": round(self.raw, 3)}
        return told if self.deviation is None else {**told, "deviation": round(self.deviation, 4)}


@dataclass(frozen=True)
class SuggestedMark:
    """Where a counted cell lies, in pixels of the given picture."""

    cell_type: str
    x: float
    y: float


@dataclass(frozen=True)
class FieldPrediction:
    """What the counter says of one picture.

    count_map: [types, h, w], cells per map pixel, in the order of `counts`; a map pixel is
    `map_step` pixels of the picture wide and high. novelty: 0 to 1, unlike the training data from
    novelty_threshold on. cell_px: the width of a red cell that the picture was taken to have.
    quality: whether the picture is good enough to count in.
    """

    counts: dict[str, Count]
    novelty: float
    marks: list[SuggestedMark]
    count_map: Floats
    map_step: float
    cell_px: float
    quality: quality.Quality
    novelty_threshold: float = calibrate.NOVELTY_THRESHOLD

    @property
    def novel(self) -> bool:
        """Whether the picture is unlike the training data."""
        return self.novelty >= self.novelty_threshold

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON, without the map."""
        return {
            "counts": {code: count.to_dict() for code, count in self.counts.items()},
            "novelty": round(self.novelty, 4),
            "novelty_threshold": self.novelty_threshold,
            "novel": self.novel,
            "faults": list(self.quality.faults),
            "quality": self.quality.measures(),
            "red_cell_px": round(self.cell_px, 1),
            "marks": [
                {"cell_type": mark.cell_type, "x": round(mark.x, 1), "y": round(mark.y, 1)}
                for mark in self.marks
            ],
        }


def build(bundle: Bundle) -> Counter:
    """Return the bundle's net with its weights, ready to count.

    Raises:
        BadBundle: the weights do not fit the config.
    """
    config = bundle.config
    try:
        net = Counter(config.net, len(config.cell_types)).fold()
        net.load_state_dict({k: torch.from_numpy(v) for k, v in bundle.weights.items()})
    except (KeyError, ValueError, RuntimeError):
        raise BadBundle("The bundle's weights do not fit its config.json.") from None
    novelty, features = bundle.calibration.novelty, 2 * net.backbone.early_channels
    if not novelty.centers.shape[-1] == novelty.whiten.shape[0] == features:
        raise BadBundle("The bundle's calibration.json does not fit its net.")
    net.eval()
    return net.channels_last()


def _groups(given: Iterable[Given]) -> Iterator[list[Given]]:
    """Small pictures share a pass; large ones are not held open beside each other."""
    group, held = [], 0
    for picture in given:
        group.append(picture)
        held += _pixels(picture[0])
        if held >= MAX_WORK:
            yield group
            group, held = [], 0
    if group:
        yield group


def _pixels(source: Image.Image | Path) -> int:
    if isinstance(source, Image.Image):
        return source.width * source.height
    try:
        with source.open("rb") as file:
            return pictures.pixels(file)
    except OSError:
        # Told as it is opened, when it is its turn.
        return 0


class Predictor:
    """A loaded bundle that counts; make one and keep it."""

    def __init__(
        self, bundle_path: Path | str, threads: int | None = None, device: str = "cpu"
    ) -> None:
        """Load the bundle; `threads` caps torch's threads for the whole process.

        Raises:
            BadBundle: the bundle is missing or broken.
            BadData: there is no `device`, "cpu" or "cuda", of that name here.
        """
        if threads is not None:
            torch.set_num_threads(threads)
        self.bundle = load(bundle_path)
        self.net = build(self.bundle).to(processor.asked(device))

    def predict(
        self,
        images: Sequence[Image.Image | Path],
        microns_per_pixel: Sequence[float | None] | None = None,
    ) -> list[FieldPrediction]:
        """Count in pictures (or files of pictures); the scale is searched where not given.

        Raises:
            BadPicture: a file is no usable picture.
            OSError: a file cannot be read.
            ValueError: a scale is outside `MICRONS_PER_PIXEL`, or not one per picture.
        """
        scales = list(microns_per_pixel) if microns_per_pixel is not None else [None] * len(images)
        if len(scales) != len(images):
            raise ValueError("Give one value of micrometers per pixel for each picture.")
        found: list[FieldPrediction] = []
        with gathered() as crew, pictures.unwarned():
            for group in _groups(zip(images, scales, strict=True)):
                found += self._together(group, crew)
        return found

    def _together(self, group: Sequence[Given], crew: Crew) -> list[FieldPrediction]:
        # Two pictures to a share at least: one alone is rounded otherwise by the net, and counts
        # should not depend on the threads.
        number = max(1, min(crew.size, len(group) // 2))
        ends = [len(group) * i // number for i in range(number + 1)]
        shares = [group[begin:end] for begin, end in pairwise(ends)]
        within = crew if number == 1 else ALONE
        return list(chain(*crew.each(lambda share: self._count(share, within), shares)))

    def _count(self, share: Sequence[Given], crew: Crew) -> list[FieldPrediction]:
        works = [self.prepare(*given) for given in share]
        look(self.net, works, self.bundle.config, crew)
        return [self._conclude(work) for work in works]

    def prepare(self, source: Image.Image | Path, microns_per_pixel: float | None) -> Work:
        """Open a picture and guess how wide its red cells are."""
        return prepare(source, microns_per_pixel, self.bundle.config)

    def _conclude(self, work: Work) -> FieldPrediction:
        config, calibration = self.bundle.config, self.bundle.calibration
        assert work.maps is not None
        assert work.features is not None
        step = STRIDE / work.factor
        counts, marks = {}, []
        for index, code in enumerate(config.cell_types):
            one = work.maps[index]
            raw = float(one.sum(dtype=np.float64))
            value = calibrate.rounded(raw)
            points = peaks.find(one, value)
            undecided = peaks.undecided(one, points) if calibration.by_map else None
            spread = calibration.spreads[code]
            low, high = calibrate.interval(raw, spread, undecided)
            off = calibrate.deviation(raw, spread, undecided)
            counts[code] = Count(value, low, high, raw, off)
            for x, y in points:
                marks.append(
                    SuggestedMark(
                        code,
                        min(x * step, work.size[0] - 0.5),
                        min(y * step, work.size[1] - 0.5),
                    )
                )
        seen, (pixels, inside) = work.seen_px(config), work.shown()
        lit = lamp(pixels, inside)
        raws = {code: count.raw for code, count in counts.items()}
        judged = quality.judge(pixels, work.light, lit, seen, raws, inside, work.off_told)
        # Out of focus, cells are taken for much wider than they are: that makes no picture small.
        area = calibrate.SMALLEST_WHOLE if "blurred" in judged.faults else work.area()
        return FieldPrediction(
            counts=counts,
            novelty=calibration.novelty.score(work.features, hue(pixels, work.light, lit), area),
            marks=marks,
            count_map=work.maps,
            map_step=step,
            cell_px=seen / work.factor,
            quality=judged,
        )
