"""Count the cells of pictures with a model bundle."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ml import calibrate, peaks, pictures, quality, search
from ml.bundle import BadBundle, Bundle, load
from ml.config import RED_CELL_MICRONS, SCALE_CLOSE, BundleConfig
from ml.nets import MULTIPLE, SCALE_FLOOR, STRIDE, Counter
from ml.optics import Floats, background, density, hue

LOOKS = 6
# Looks that are this far off (log2) and further off than the one before lead nowhere.
SCALE_RUNS_AWAY = 1.3
# The net knows no cells further off than this; a larger step would be a guess.
LARGEST_STEP = 1.6
# Pixels at the net's scale that go through it at once: bounds the memory.
CHUNK = 900_000
# Larger pictures go in tiles, with a margin as wide as what the net sees around a point.
TILE = 768
MARGIN = 128
# A picture in which no map holds this much of a cell in any one place (3 x 3 map pixels) shows
# none: what is left is the sum of thousands of nearly empty map pixels.
EMPTY = 0.4
# A picture is looked at with at most this many pixels (a 4000 x 4000 one whole); a larger one is
# brought to them once, as it is opened, and its full size let go.
MAX_WORK = 16_000_000


@dataclass(frozen=True)
class Count:
    """The count of one cell type: whole, with its 90 % interval, and as the net gave it."""

    value: int
    low: int
    high: int
    raw: float


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
            "counts": {
                code: {"value": c.value, "low": c.low, "high": c.high, "raw": round(c.raw, 3)}
                for code, c in self.counts.items()
            },
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


@dataclass
class Work:
    """A picture at the scale it is looked at: 8-bit pixels, light, and what came out.

    size: width and height of the given picture; `image` has at most MAX_WORK pixels of it. All
    lengths (cell_px) and the factor are in pixels of the given picture.
    """

    image: Image.Image
    size: tuple[int, int]
    light: Floats
    cell_px: float
    sure: bool
    pixels: NDArray[np.uint8]
    factor: float = 1.0
    maps: Floats | None = None
    features: NDArray[np.float64] | None = None
    log_scale: float = 0.0

    def __post_init__(self) -> None:
        self.guess = self.cell_px


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


class Predictor:
    """A loaded bundle that counts; make one and keep it."""

    def __init__(self, bundle_path: Path | str, threads: int | None = None) -> None:
        """Load the bundle; `threads` caps torch's threads for the whole process.

        Raises:
            BadBundle: the bundle is missing or broken.
        """
        if threads is not None:
            torch.set_num_threads(threads)
        self.bundle = load(bundle_path)
        self.net = build(self.bundle)

    def predict(
        self,
        images: Sequence[Image.Image | Path],
        microns_per_pixel: Sequence[float | None] | None = None,
    ) -> list[FieldPrediction]:
        """Count in pictures (or files of pictures); the scale is searched where not given.

        Raises:
            BadPicture: a file is no usable picture.
            OSError: a file cannot be read.
            ValueError: a scale is not above 0, or not one per picture.
        """
        scales = list(microns_per_pixel) if microns_per_pixel is not None else [None] * len(images)
        if len(scales) != len(images):
            raise ValueError("Give one value of micrometers per pixel for each picture.")
        found: list[FieldPrediction] = []
        works: list[Work] = []
        for number, (image, scale) in enumerate(zip(images, scales, strict=True), 1):
            works.append(self.prepare(image, scale))
            # Small pictures share a pass; large ones are not held open beside each other.
            held = sum(work.image.width * work.image.height for work in works)
            if held >= MAX_WORK or number == len(images):
                look(self.net, works, self.bundle.config)
                found += [self._conclude(work) for work in works]
                works.clear()
        return found

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
            raw = float(work.maps[index].sum(dtype=np.float64))
            low, high = calibrate.interval(raw, calibration.spreads[code])
            counts[code] = Count(calibrate.rounded(raw), low, high, raw)
            for x, y in peaks.find(work.maps[index], counts[code].value):
                marks.append(
                    SuggestedMark(
                        code,
                        min(x * step, work.size[0] - 0.5),
                        min(y * step, work.size[1] - 0.5),
                    )
                )
        # In a frame of fixed size the cells' width is what the net saw, not what it was given.
        seen = config.input.cell_px * (2.0**work.log_scale if config.input.frame else 1.0)
        raws = {code: count.raw for code, count in counts.items()}
        return FieldPrediction(
            counts=counts,
            novelty=calibration.novelty.score(work.features, hue(work.pixels, work.light)),
            marks=marks,
            count_map=work.maps,
            map_step=step,
            cell_px=seen / work.factor,
            quality=quality.judge(work.pixels, work.light, seen, raws),
        )


def prepare(
    source: Image.Image | Path, microns_per_pixel: float | None, config: BundleConfig
) -> Work:
    """Open a picture and set the width of its red cells in pixels: known, or a first guess.

    Raises:
        BadPicture: a file is no usable picture.
        OSError: a file cannot be read.
        ValueError: `microns_per_pixel` is not above 0.
    """
    if isinstance(source, Path):
        picture = pictures.read(source, enough=MAX_WORK)
        image, size = picture.image, picture.size
    else:
        image, size = pictures.to_rgb(source), source.size
    if microns_per_pixel is None:
        cell_px = config.input.guess * math.sqrt(size[0] * size[1])
    elif microns_per_pixel > 0 and math.isfinite(microns_per_pixel):
        cell_px = RED_CELL_MICRONS / microns_per_pixel
    else:
        raise ValueError("Micrometers per pixel must be above 0.")
    share = math.sqrt(MAX_WORK / (image.width * image.height))
    if share < 1.0:
        small = (max(1, int(image.width * share)), max(1, int(image.height * share)))
        image = image.resize(small, Image.Resampling.BILINEAR)
    light = background(image, config.input)
    return Work(
        image,
        size,
        light,
        cell_px,
        microns_per_pixel is not None,
        np.empty((0, 0, 3), dtype=np.uint8),
    )


@torch.inference_mode()
def look(net: Counter, works: Sequence[Work], config: BundleConfig) -> None:
    """Fill in maps, features and scale of each work, searching the scale where it is not sure."""
    todo = list(works)
    for work in todo:
        if not (work.sure or config.input.frame) and search.unusual(work.size):
            _search(net, work, config)
    for number in range(LOOKS):
        before = [abs(work.log_scale) for work in todo]
        for work in todo:
            _scale(work, config)
        for work in todo:
            if work.pixels.shape[0] * work.pixels.shape[1] > CHUNK:
                _look_in_tiles(net, work, config)
        small = [w for w in todo if w.pixels.shape[0] * w.pixels.shape[1] <= CHUNK]
        for chunk in _chunks(small):
            _look_at_once(net, chunk, config)
        again = []
        for work, earlier in zip(todo, before, strict=True):
            if not work.sure and abs(work.log_scale) > SCALE_CLOSE and number < LOOKS - 1:
                _correct(net, work, earlier, number, config)
                again.append(work)
        todo = again
    if config.placed:
        for work in works:
            assert work.maps is not None
            if all(peaks.strongest(one) < EMPTY for one in work.maps):
                work.maps[:] = 0.0


def _correct(net: Counter, work: Work, earlier: float, number: int, config: BundleConfig) -> None:
    """Set the cells' width for the next look; one search ends looks that lead nowhere."""
    off = abs(work.log_scale)
    if number == LOOKS - 2 or (number > 0 and off > max(SCALE_RUNS_AWAY, earlier)):
        _search(net, work, config)
        return
    step = float(np.clip(work.log_scale, -LARGEST_STEP, LARGEST_STEP))
    work.cell_px = config.input.cell_px / work.factor * 2.0**step


def _search(net: Counter, work: Work, config: BundleConfig) -> None:
    """Set the cells' width once and for all; where there are none, the first guess stays."""
    share = math.sqrt(work.image.width * work.image.height / (work.size[0] * work.size[1]))
    width = search.cell_width(net, work.image, work.light, config.input)
    work.cell_px = work.guess if width is None else width / share
    work.sure = True


def _scale(work: Work, config: BundleConfig) -> None:
    """Bring the picture to the net's scale, as far as it fits into memory."""
    width, height = work.size
    if config.input.frame:
        factor, work.sure = config.input.frame / max(width, height), True
    else:
        factor = config.input.cell_px / max(work.cell_px, 1.0)
    factor = min(factor, math.sqrt(MAX_WORK / (width * height)))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    work.factor = math.sqrt(size[0] * size[1] / (width * height))
    # As Pillow's bilinear resize (off by one level in one value of 2000), in a third of its time.
    pixels = torch.from_numpy(np.array(work.image)).permute(2, 0, 1)[None]
    scaled = F.interpolate(pixels, size=size[::-1], mode="bilinear", antialias=True)
    work.pixels = np.ascontiguousarray(scaled[0].permute(1, 2, 0).numpy())


def _chunks(works: Sequence[Work]) -> list[list[Work]]:
    """Group works of one padded size, as many as go through the net at once."""
    groups: dict[tuple[int, int], list[Work]] = defaultdict(list)
    for work in works:
        groups[_padded(work.pixels.shape)].append(work)
    chunks = []
    for (height, width), group in groups.items():
        most = max(1, CHUNK // (height * width))
        chunks += [group[i : i + most] for i in range(0, len(group), most)]
    return chunks


def _padded(shape: tuple[int, ...]) -> tuple[int, int]:
    return -(-shape[0] // MULTIPLE) * MULTIPLE, -(-shape[1] // MULTIPLE) * MULTIPLE


def to_input(parts: Sequence[Floats], least: int = 0) -> Tensor:
    """Stack densities [h, w, 3] of about one size as [n, 3, H, W], padded with empty slide to
    the net's multiple, and to `least` pixels a side.
    """
    height = max(least, *(_padded(part.shape)[0] for part in parts))
    width = max(least, *(_padded(part.shape)[1] for part in parts))
    stack = np.zeros((len(parts), height, width, 3), dtype=np.float32)
    for row, part in zip(stack, parts, strict=True):
        row[: part.shape[0], : part.shape[1]] = part
    return torch.from_numpy(stack).permute(0, 3, 1, 2)


def pooled(early: Tensor) -> NDArray[np.float64]:
    """Return mean and spread of each early feature, [n, 2 c]: what novelty is judged by."""
    flat = early.float().flatten(2)
    both = torch.cat([flat.mean(dim=2), flat.std(dim=2, correction=0)], dim=1)
    return both.numpy().astype(np.float64)


def _look_at_once(net: Counter, works: Sequence[Work], config: BundleConfig) -> None:
    parts = [density(w.pixels, w.light, config.input) for w in works]
    inputs = to_input(parts, config.input.frame or 0)
    early = net.backbone.early(inputs)
    output = net.late(early)
    for i, work in enumerate(works):
        rows, columns = (-(-side // STRIDE) for side in work.pixels.shape[:2])
        # What lies beyond the picture's border belongs to cells at the border: it is added there.
        work.maps = _fold_in(output.maps[i].numpy(), rows, columns)
        work.features = pooled(early[i : i + 1, :, :rows, :columns])[0]
        work.log_scale = float(output.scale[i])


def _fold_in(maps: Floats, rows: int, columns: int) -> Floats:
    inside = maps[:, :rows, :columns].copy()
    inside[:, -1, :] += maps[:, rows:, :columns].sum(axis=1)
    inside[:, :, -1] += maps[:, :rows, columns:].sum(axis=2)
    inside[:, -1, -1] += maps[:, rows:, columns:].sum(axis=(1, 2))
    return inside


def _look_in_tiles(net: Counter, work: Work, config: BundleConfig) -> None:
    """Look at a large picture in tiles that overlap, and keep the middle of each."""
    height, width = work.pixels.shape[:2]
    rows, columns = -(-height // STRIDE), -(-width // STRIDE)
    maps = np.zeros((len(config.cell_types), rows, columns), dtype=np.float32)
    features, areas, scales, weights = [], [], [], []
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            y0, x0 = max(0, top - MARGIN), max(0, left - MARGIN)
            part = work.pixels[y0 : top + TILE + MARGIN, x0 : left + TILE + MARGIN]
            early = net.backbone.early(to_input([density(part, work.light, config.input)]))
            output = net.late(early)
            r0, c0 = (top - y0) // STRIDE, (left - x0) // STRIDE
            own_rows = min(rows - top // STRIDE, TILE // STRIDE)
            own_columns = min(columns - left // STRIDE, TILE // STRIDE)
            own = output.maps[0, :, r0 : r0 + own_rows, c0 : c0 + own_columns].numpy()
            row, column = top // STRIDE, left // STRIDE
            maps[:, row : row + own_rows, column : column + own_columns] = own
            early = early[:, :, r0 : r0 + own_rows, c0 : c0 + own_columns]
            features.append(pooled(early)[0])
            areas.append(own_rows * own_columns)
            scales.append(float(output.scale[0]))
            weights.append(float(output.counts[0, 0]) + SCALE_FLOOR * output.maps[0, 0].numel())
    work.maps = maps
    work.features = np.average(features, axis=0, weights=areas)
    work.log_scale = float(np.average(scales, weights=weights))
