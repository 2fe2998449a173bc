"""Look at pictures: scale them for the net, send them through, correct the scale, look again.

Between opening a picture (`prepare`) and its counts (`ml.predict`). Small pictures share a pass,
large ones go in tiles; the net stays where it is, on the processor or on a GPU.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ml import peaks, pictures, search, surround
from ml.config import MICRONS_PER_PIXEL, RED_CELL_MICRONS, SCALE_CLOSE, BundleConfig
from ml.crew import ALONE, Crew
from ml.heads import SCALE_FLOOR
from ml.nets import MULTIPLE, STRIDE, Counter
from ml.optics import Floats, density

# Looks at a picture of unknown scale at most; before the last one the scale is searched.
LOOKS = 6
# Looks that are this far off (log2) and further off than the one before lead nowhere. Chosen by
# hand.
SCALE_RUNS_AWAY = 1.3
# The net knows no cells further off than this; a larger step would be a guess.
LARGEST_STEP = 1.6
# Pixels at the net's scale that go through it at once: bounds the memory.
CHUNK = 900_000
# Larger pictures go in tiles, with a margin as wide as what the net sees around a point.
TILE = 768
MARGIN = 128
# A picture in which no map holds this much of a cell in any one place (3 x 3 map pixels) shows
# none: what is left is the sum of thousands of nearly empty map pixels. Chosen by hand.
EMPTY = 0.4
# Told micrometers per pixel are checked by the cells where the net finds their width off by this
# much (log2), or where it is that far from what it is in most fields. Chosen by hand.
CHECK_FOUND = 0.25
CHECK_USUAL = 0.6
# Places of the maps that a circle three red cells wide takes up. An eyepiece shows more (24 across
# with field number 18, at 100 times): what seems to show fewer is another thing on black.
LEAST_ROUND = 214
# A picture is looked at with at most this many pixels (a 4000 x 4000 one whole); a larger one is
# brought to them once, as it is opened, and its full size let go.
MAX_WORK = 16_000_000


@dataclass
class Work:
    """A picture at the scale it is looked at: 8-bit pixels, light, and what came out.

    size: width and height of the given picture; `image` has at most MAX_WORK pixels of it. cell_px:
    the width red cells are taken to have, in pixels of the given picture; sure: whether no look
    will change it. pixels [h, w, 3]: the picture scaled by `factor`, as the net sees it; held:
    whether MAX_WORK kept it below the net's scale. circle: the edge of a round field, whose dark
    surround was taken out.

    What a look fills in: maps [types, h / 8, w / 8] of cells, features [2 c] that novelty is judged
    by, log_scale: log2 of how much wider than `InputConfig.cell_px` the net finds the red cells;
    off_told: log2 of how much wider they are than told micrometers per pixel say, where that was
    checked.
    """

    image: Image.Image
    size: tuple[int, int]
    light: Floats
    cell_px: float
    sure: bool
    pixels: NDArray[np.uint8]
    factor: float = 1.0
    held: bool = False
    circle: surround.Circle | None = None
    maps: Floats | None = None
    features: NDArray[np.float64] | None = None
    log_scale: float = 0.0
    off_told: float = 0.0

    def __post_init__(self) -> None:
        self.guess = self.cell_px

    def seen_px(self, config: BundleConfig) -> float:
        """Return the width of red cells in `pixels`: where the net was given a picture of fixed
        size, the width that it found.
        """
        if config.input.frame:
            return float(config.input.cell_px * 2.0**self.log_scale)
        return self.cell_px * self.factor if self.held else config.input.cell_px

    def shown(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
        """Return the pixels to judge and which of them show the slide; None: all."""
        return surround.shown(self.pixels, self.circle)

    def places(self) -> NDArray[np.bool_] | None:
        """Return which places of the maps show the slide; None: all."""
        if self.circle is None:
            return None
        rows, columns = (-(-side // STRIDE) for side in self.pixels.shape[:2])
        inside = self.circle.inside(rows, columns, self.pixels.shape[1] / STRIDE)
        return inside if inside.any() else None

    def area(self) -> int:
        """Return how many places of the maps show the slide; a round field has `LEAST_ROUND`."""
        assert self.maps is not None
        places = self.places()
        return self.maps[0].size if places is None else max(int(places.sum()), LEAST_ROUND)


def prepare(
    source: Image.Image | Path, microns_per_pixel: float | None, config: BundleConfig
) -> Work:
    """Open a picture and set the width of its red cells in pixels: known, or a first guess.

    Raises:
        BadPicture: a file is no usable picture.
        OSError: a file cannot be read.
        ValueError: `microns_per_pixel` is outside `MICRONS_PER_PIXEL`.
    """
    least, most = MICRONS_PER_PIXEL
    if microns_per_pixel is not None and not least <= microns_per_pixel <= most:
        raise ValueError(
            f"Micrometers per pixel must be {least:g} to {most:g}, not {microns_per_pixel:g}. "
            "Leave them out where they are not known: the scale is then searched."
        )
    if isinstance(source, Path):
        picture = pictures.read(source, enough=MAX_WORK)
        image, size = picture.image, picture.size
    else:
        image, size = pictures.to_rgb(source), source.size
    share = math.sqrt(MAX_WORK / (image.width * image.height))
    if share < 1.0:
        small = (max(1, int(image.width * share)), max(1, int(image.height * share)))
        image = image.resize(small, Image.Resampling.BILINEAR)
    image, light, circle = surround.clear(image, config.input)
    if microns_per_pixel is None:
        seen = 1.0 if circle is None else circle.share(image.size)
        cell_px = config.input.guess * math.sqrt(seen * size[0] * size[1])
    else:
        cell_px = RED_CELL_MICRONS / microns_per_pixel
    return Work(
        image,
        size,
        light,
        cell_px,
        microns_per_pixel is not None,
        np.empty((0, 0, 3), dtype=np.uint8),
        circle=circle,
    )


@torch.inference_mode()
def look(net: Counter, works: Sequence[Work], config: BundleConfig, crew: Crew = ALONE) -> None:
    """Fill in maps, features and scale of each work, searching the scale where it is not sure; the
    crew shares out the tiles of large pictures.
    """
    todo, told = list(works), [work for work in works if work.sure]
    for work in todo:
        # An eyepiece shows five red cells across or a hundred.
        unusual = work.circle is not None or search.unusual(work.size)
        if unusual and not (work.sure or config.input.frame):
            _search(net, work, config)
    for number in range(LOOKS):
        before = [abs(work.log_scale) for work in todo]
        for work in todo:
            _scale(work, config)
        for work in todo:
            if work.pixels.shape[0] * work.pixels.shape[1] > CHUNK:
                _look_in_tiles(net, work, config, crew)
        small = [w for w in todo if w.pixels.shape[0] * w.pixels.shape[1] <= CHUNK]
        for chunk in _chunks(small):
            _look_at_once(net, chunk, config)
        again = []
        for work, earlier in zip(todo, before, strict=True):
            if not work.sure and abs(work.log_scale) > SCALE_CLOSE and number < LOOKS - 1:
                _correct(net, work, earlier, number, config)
                again.append(work)
        todo = again
    for work in told:
        _check_told(net, work, config)
    for work in works:
        _fold_to_circle(work)
    if config.placed:
        for work in works:
            assert work.maps is not None
            if all(peaks.strongest(one) < EMPTY for one in work.maps):
                work.maps[:] = 0.0


def _check_told(net: Counter, work: Work, config: BundleConfig) -> None:
    """Compare the width of red cells that was told with the picture's, where there is a doubt."""
    seen = 1.0 if work.circle is None else work.circle.share(work.image.size)
    usual = config.input.guess * math.sqrt(seen * work.size[0] * work.size[1])
    doubtful = (
        abs(work.log_scale) > CHECK_FOUND or abs(math.log2(work.cell_px / usual)) > CHECK_USUAL
    )
    if doubtful and not config.input.frame:
        width = _searched(net, work, config)
        work.off_told = 0.0 if width is None else math.log2(width / work.cell_px)


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
    work.cell_px = _searched(net, work, config) or work.guess
    work.sure = True


def _searched(net: Counter, work: Work, config: BundleConfig) -> float | None:
    """Return the width of red cells in pixels of the given picture, None where there are none."""
    share = math.sqrt(work.image.width * work.image.height / (work.size[0] * work.size[1]))
    width = search.cell_width(net, work.image, work.light, config.input)
    return None if width is None else width / share


def _scale(work: Work, config: BundleConfig) -> None:
    """Bring the picture to the net's scale, as far as it fits into memory."""
    width, height = work.size
    if config.input.frame:
        factor, work.sure = config.input.frame / max(width, height), True
    else:
        factor = config.input.cell_px / max(work.cell_px, 1.0)
    most = math.sqrt(MAX_WORK / (width * height))
    factor, work.held = min(factor, most), factor > most
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    work.factor = math.sqrt(size[0] * size[1] / (width * height))
    # As Pillow's bilinear resize (off by one level in one value of 2000), in a third of its time.
    # Channels last, also by the strides of its one picture: then it stays so, and quicker.
    pixels = torch.from_numpy(np.array(work.image))[None].permute(0, 3, 1, 2)
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


def pooled(early: Tensor, places: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Return mean and spread of each early feature, [n, 2 c]: what novelty is judged by.

    places [h, w]: where the slide is seen; None: everywhere.
    """
    flat = early.float().flatten(2)
    if places is not None:
        flat = flat[:, :, torch.from_numpy(places.ravel())]
    both = torch.cat([flat.mean(dim=2), flat.std(dim=2, correction=0)], dim=1)
    return both.cpu().numpy().astype(np.float64)


def _look_at_once(net: Counter, works: Sequence[Work], config: BundleConfig) -> None:
    parts = [density(w.pixels, w.light, config.input) for w in works]
    inputs = to_input(parts, config.input.frame or 0).to(net.device)
    early = net.backbone.early(inputs)
    output = net.late(early)
    maps = output.maps.cpu().numpy()
    for i, work in enumerate(works):
        rows, columns = (-(-side // STRIDE) for side in work.pixels.shape[:2])
        # What lies beyond the picture's border belongs to cells at the border: it is added there.
        work.maps = _fold_in(maps[i], rows, columns)
        work.features = pooled(early[i : i + 1, :, :rows, :columns], work.places())[0]
        work.log_scale = float(output.scale[i])


def _fold_in(maps: Floats, rows: int, columns: int) -> Floats:
    inside = maps[:, :rows, :columns].copy()
    inside[:, -1, :] += maps[:, rows:, :columns].sum(axis=1)
    inside[:, :, -1] += maps[:, :rows, columns:].sum(axis=2)
    inside[:, -1, -1] += maps[:, rows:, columns:].sum(axis=(1, 2))
    return inside


def _fold_to_circle(work: Work) -> None:
    """Bring what maps hold beyond a round field to its edge: it belongs to cells there."""
    places = work.places()
    if places is None or work.circle is None:
        return
    assert work.maps is not None
    height, wide = places.shape
    width = work.pixels.shape[1] / STRIDE
    down, across = work.circle.offsets(height, wide, width)
    rows, columns = np.nonzero(~places)
    down, across = down[rows, 0], across[0, columns]
    # A place further in than the edge, so that it lies inside when rounded.
    inward = 1.0 - (work.circle.radius * width - 1.0) / np.hypot(down, across)
    to_rows = np.clip(np.rint(rows - inward * down), 0, height - 1).astype(np.intp)
    to_columns = np.clip(np.rint(columns - inward * across), 0, wide - 1).astype(np.intp)
    for one in work.maps:
        beyond = one[rows, columns]
        one[rows, columns] = 0.0
        np.add.at(one, (to_rows, to_columns), beyond)


def _look_in_tiles(net: Counter, work: Work, config: BundleConfig, crew: Crew) -> None:
    """Look at a large picture in tiles that overlap, and keep the middle of each."""
    height, width = work.pixels.shape[:2]
    shape = -(-height // STRIDE), -(-width // STRIDE)
    work.maps = np.zeros((len(config.cell_types), *shape), dtype=np.float32)
    places = work.places()
    seen = np.ones(shape, dtype=bool) if places is None else places
    corners = [(top, left) for top in range(0, height, TILE) for left in range(0, width, TILE)]
    tiles = [(top, left, seen[_tile_at(top, left)]) for top, left in corners]
    # What shows no slide at all holds no cells.
    tiles = [tile for tile in tiles if tile[2].any()]
    told = crew.each(lambda tile: _look_at_tile(net, work, config, *tile), tiles)
    features, areas, scales, weights = zip(*told, strict=True)
    work.features = np.average(features, axis=0, weights=areas)
    work.log_scale = float(np.average(scales, weights=weights))


def _tile_at(top: int, left: int) -> tuple[slice, slice]:
    """Return the places of the maps that are those of the tile at a pixel."""
    row, column, side = top // STRIDE, left // STRIDE, TILE // STRIDE
    return slice(row, row + side), slice(column, column + side)


@torch.inference_mode()
def _look_at_tile(
    net: Counter,
    work: Work,
    config: BundleConfig,
    top: int,
    left: int,
    seen: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], int, float, float]:
    """Fill in a tile's part of the maps; return its features, its area, its scale and the cells
    that this was told by. seen: which of its places show the slide.
    """
    assert work.maps is not None
    y0, x0 = max(0, top - MARGIN), max(0, left - MARGIN)
    part = work.pixels[y0 : top + TILE + MARGIN, x0 : left + TILE + MARGIN]
    inputs = to_input([density(part, work.light, config.input)]).to(net.device)
    early = net.backbone.early(inputs)
    output = net.late(early)
    inside = work.maps[:, *_tile_at(top, left)]
    r0, c0 = (top - y0) // STRIDE, (left - x0) // STRIDE
    rows, columns = slice(r0, r0 + inside.shape[1]), slice(c0, c0 + inside.shape[2])
    inside[:] = output.maps[0, :, rows, columns].cpu().numpy()
    cells = float(output.counts[0, 0]) + SCALE_FLOOR * output.maps[0, 0].numel()
    features = pooled(early[:, :, rows, columns], None if seen.all() else seen)[0]
    return features, int(seen.sum()), float(output.scale[0]), cells
