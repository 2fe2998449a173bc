"""Training views of marked fields. No view changes a count without counting anew.

Flips and quarter turns keep every cell. Zooms and crops count again from the marks: a cell stays
when enough of its box does. Stain, lamp, blur and JPEG (`ml.lights`) change the light only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml.config import SCALE_CLOSE, InputConfig
from ml.data import Field
from ml.lights import Lights
from ml.optics import Floats, density
from ml.surround import Circle, clear

# A cell cut by a crop still counts when this share of a red cell's width is left of it, where
# nothing is known of how its annotators did it.
VISIBLE = 0.17
# Share of the cells they did count at the border of the picture that may lie below that.
# Chosen by hand: what lies lower is taken for slips of the annotators.
VISIBLE_TAIL = 0.03
# Pictures are kept at no more than this many pixels per red cell: the largest zoom whose counts
# train (2 to the power of 0.8, `Zoom.counted`, times 48 pixels) needs no more.
KEEP_CELL_PX = 84.0
# Left, top, right, bottom in pixels.
Area = tuple[float, float, float, float]


@dataclass(frozen=True)
class Zoom:
    """How red cells are sized in views: log2 of (width / `InputConfig.cell_px`).

    Most views lie near 0 (normal, `near`), a share `wide_share` anywhere in `wide`; only views
    within `counted` train the counts, the others train the scale. A share `whole` is shrunk to
    show the field with all its borders: annotators treat cells there as no crop can imitate.
    `upright`: only turns with which the field fits its canvas best, so that it need not shrink.
    A share `guessed` has the scale at which the counter first looks at a picture, where it would
    stay there. A share `calm` keeps the field's own light, of the rest a share `poor` is as badly
    focused and as unevenly lit as pictures taken by hand (`ml.lights`). All chosen by hand.
    """

    near: float = 0.22
    whole: float = 0.4
    wide_share: float = 0.15
    wide: tuple[float, float] = (-1.8, 1.3)
    counted: tuple[float, float] = (-0.9, 0.8)
    upright: bool = False
    calm: float = 0.0
    guessed: float = 0.0
    poor: float = 0.0


# The last part of a training shows fields nearly as they will come: whole, mostly at the scale that
# the counter takes, and often in their own light. Chosen by hand but for `calm`, which was compared
# with a smaller share between two labs (docs/training.md).
SETTLED = Zoom(near=0.1, whole=1.0, wide_share=0.1, upright=True, calm=0.75, guessed=0.8)
# Spread (log2) about the guessed scale: well within what no second look is taken for
# (`SCALE_CLOSE`), chosen by hand.
GUESSED_SPREAD = 0.04
# After that, pictures as a phone at the eyepiece takes them too. Chosen by hand, compared with
# going without on held-out fields (docs/training.md).
HARDENED = replace(SETTLED, calm=0.4, poor=0.5)


@dataclass(frozen=True)
class Loaded:
    """A field in memory: 8-bit RGB, not larger than views need, and the background's light.

    boxes: [n, 5] of type index, left, top, right, bottom. visible: share of a red cell's width
    that must be left of a cell for it to count. circle: the edge of a round field, whose dark
    surround was taken out.
    """

    image: Image.Image
    light: Floats
    boxes: Floats
    cell_px: float
    counts: Floats
    known: NDArray[np.bool_]
    marked: NDArray[np.bool_]
    name: str = ""
    group: str = ""
    visible: float = VISIBLE
    circle: Circle | None = None


@dataclass(frozen=True)
class View:
    """One training example; masks say per type whether counts and marks may train.

    picture [h, w, 3] optical density; points [n, 3] of type index, x, y in pixels. field: the
    pixels (left, top, right, bottom) that show the field; the rest is empty slide. circle: the edge
    of a round field that is shown whole.
    """

    picture: Floats
    points: Floats
    counts: Floats
    known: NDArray[np.bool_]
    marked: NDArray[np.bool_]
    log_scale: float
    field: Area
    circle: Circle | None = None


def load(
    field: Field, image: Image.Image, cell_px: float, types: Sequence[str], config: InputConfig
) -> Loaded:
    """Bring a field into memory; `cell_px` is its red cells' width in pixels of `image`."""
    image, light, circle = clear(image, config)
    shrink = min(1.0, KEEP_CELL_PX / cell_px)
    if shrink < 1.0:
        size = (max(1, round(image.width * shrink)), max(1, round(image.height * shrink)))
        image = image.resize(size, Image.Resampling.BILINEAR)
    rows = [
        (types.index(m.code), m.x - m.w / 2, m.y - m.h / 2, m.x + m.w / 2, m.y + m.h / 2)
        for m in field.marks
        if m.code in types
    ]
    boxes = np.array(rows, dtype=np.float32).reshape(-1, 5)
    boxes[:, 1:] *= shrink
    return Loaded(
        image=image,
        light=light,
        boxes=boxes,
        cell_px=cell_px * shrink,
        counts=np.array([field.counts.get(code, 0) for code in types], dtype=np.float32),
        known=np.array([code in field.counts for code in types]),
        marked=np.array([field.marked(code) for code in types]),
        name=field.name,
        group=field.group,
        circle=circle,
    )


def least_visible(loaded: Sequence[Loaded]) -> float:
    """Return how much of a cell the annotators of these fields wanted to see at the border, as
    a share of a red cell's width; `VISIBLE` when there are few such cells.
    """
    shares: list[float] = []
    for item in loaded:
        right, bottom = item.image.width - 1.0, item.image.height - 1.0
        for _, x0, y0, x1, y1 in item.boxes.tolist():
            if x0 <= 1 or y0 <= 1 or x1 >= right or y1 >= bottom:
                shares.append(min(x1 - x0, y1 - y0) / item.cell_px)
    return float(np.quantile(shares, VISIBLE_TAIL)) if len(shares) >= 50 else VISIBLE


class Augmenter:
    """Draws training views from loaded fields; the generator decides everything."""

    def __init__(self, config: InputConfig, zoom: Zoom, rng: np.random.Generator) -> None:
        self.config = config
        self.zoom = zoom
        self.rng = rng
        self.lights = Lights(config, rng, zoom.calm, zoom.poor)

    def view(self, loaded: Loaded, height: int, width: int) -> View:
        """Draw a view on a canvas of the given size; a smaller field lies on empty slide."""
        turns = int(self.rng.integers(4))
        if self.zoom.upright:
            turned = (loaded.image.height > loaded.image.width) != (height > width)
            turns = turns // 2 * 2 + turned
        if turns % 2:
            height, width = width, height
        log_scale = self._draw_scale(loaded, height, width)
        picture, boxes, area = self._cut(loaded, height, width, log_scale)
        picture, points, area = self._turn(picture, _points(boxes), area, turns)
        counts = loaded.counts.copy()
        for index in np.flatnonzero(loaded.marked):
            counts[index] = np.sum(points[:, 0] == index)
        low, high = self.zoom.counted
        counted = self.config.frame is not None or low <= log_scale <= high
        return View(
            picture=np.ascontiguousarray(picture),
            points=points,
            counts=counts,
            known=loaded.known & counted,
            marked=loaded.marked & counted,
            log_scale=log_scale,
            field=area,
        )

    def whole(self, loaded: Loaded, *, plain: bool = False) -> View:
        """Show the whole field near the net's scale, turned and in another light; with `plain`
        as it is and at that scale.
        """
        log_scale = 0.0 if plain else float(np.clip(self.rng.normal(0.0, 0.1), -0.2, 0.2))
        if self.config.frame:
            factor = self.config.frame / max(loaded.image.size)
            log_scale = float(np.log2(factor * loaded.cell_px / self.config.cell_px))
        else:
            factor = self.config.cell_px * 2.0**log_scale / loaded.cell_px
        size = (round(loaded.image.width * factor), round(loaded.image.height * factor))
        image = loaded.image.resize((max(1, size[0]), max(1, size[1])), Image.Resampling.BILINEAR)
        points, circle = _points(loaded.boxes * _by(factor)), loaded.circle
        if circle is not None:
            middle = [[-1.0, circle.x * image.width, circle.y * image.width]]
            points = np.concatenate([points, np.array(middle, dtype=np.float32)])
        area = (0.0, 0.0, float(image.width), float(image.height))
        if plain:
            picture = density(np.asarray(image), loaded.light, self.config)
        else:
            picture = self.lights.relight(image, loaded.light, loaded.cell_px * factor)
            turns = int(self.rng.integers(4))
            picture, points, area = self._turn(picture, points, area, turns)
        if circle is not None:
            (x, y), across = points[-1, 1:].tolist(), picture.shape[1]
            radius = circle.radius * image.width
            points, circle = points[:-1], Circle(x / across, y / across, radius / across)
        return View(
            np.ascontiguousarray(picture),
            points,
            loaded.counts,
            loaded.known,
            loaded.marked,
            log_scale,
            area,
            circle,
        )

    def mosaic(self, four: Sequence[Loaded], height: int, width: int) -> View:
        """Lay views of four fields side by side, so that counts range wider than in any field."""
        top = int(self.rng.uniform(0.35, 0.65) * height)
        left = int(self.rng.uniform(0.35, 0.65) * width)
        picture = np.zeros((height, width, 3), dtype=np.float32)
        points = []
        tiles = [(0, 0, top, left), (0, left, top, width), (top, 0, height, left)]
        tiles.append((top, left, height, width))
        views = []
        for loaded, (y0, x0, y1, x1) in zip(four, tiles, strict=True):
            view = self.view(loaded, y1 - y0, x1 - x0)
            picture[y0:y1, x0:x1] = view.picture
            points.append(view.points + np.array([0, x0, y0], dtype=np.float32))
            views.append(view)
        return View(
            picture=picture,
            points=np.concatenate(points),
            counts=np.sum([view.counts for view in views], axis=0),
            known=np.logical_and.reduce([view.known for view in views]),
            marked=np.logical_and.reduce([view.marked for view in views]),
            log_scale=float("nan"),
            field=(0.0, 0.0, float(width), float(height)),
        )

    def _turn(
        self, picture: Floats, points: Floats, area: Area, turns: int
    ) -> tuple[Floats, Floats, Area]:
        """Mirror by chance and make quarter turns."""
        corners = np.array([[0, *area[:2]], [0, *area[2:]]], dtype=np.float32)
        both = np.concatenate([points, corners])
        if self.rng.random() < 0.5:
            picture = picture[:, ::-1]
            both[:, 1] = picture.shape[1] - both[:, 1]
        for _ in range(turns):
            # rot90 turns counterclockwise: (x, y) goes to (y, width - x).
            both = both[:, [0, 2, 1]]
            both[:, 2] = picture.shape[1] - both[:, 2]
            picture = np.rot90(picture)
        (x0, y0), (x1, y1) = np.sort(both[-2:, 1:], axis=0).tolist()
        return picture, both[:-2], (x0, y0, x1, y1)

    def _draw_scale(self, loaded: Loaded, height: int, width: int) -> float:
        zoom, rng = self.zoom, self.rng
        fit = min(width / loaded.image.width, height / loaded.image.height)
        fitted = float(np.log2(fit * loaded.cell_px / self.config.cell_px))
        if self.config.frame:
            return fitted
        guess = self.config.guess * math.sqrt(loaded.image.width * loaded.image.height)
        off = math.log2(loaded.cell_px / guess)
        if rng.random() < zoom.wide_share:
            scale = float(rng.uniform(*zoom.wide))
        elif abs(off) <= SCALE_CLOSE and rng.random() < zoom.guessed:
            scale = float(rng.normal(off, GUESSED_SPREAD))
        else:
            scale = float(np.clip(rng.normal(0.0, zoom.near), *zoom.wide))
        uncropped = not (loaded.marked | ~loaded.known).all()
        # What has counts only cannot be cropped: it must fit into the canvas whole.
        if uncropped or rng.random() < zoom.whole:
            scale = min(scale, fitted)
        return scale

    def _cut(
        self, loaded: Loaded, height: int, width: int, log_scale: float
    ) -> tuple[Floats, Floats, Area]:
        """Return the lit view of the scaled field, its boxes, and where the view shows it."""
        rng = self.rng
        factor = self.config.cell_px * 2.0**log_scale / loaded.cell_px
        full_w, full_h = loaded.image.width * factor, loaded.image.height * factor
        w, h = min(width, max(1, int(full_w))), min(height, max(1, int(full_h)))
        x0, y0 = rng.uniform(0, max(0.0, full_w - w)), rng.uniform(0, max(0.0, full_h - h))
        box = (x0 / factor, y0 / factor, (x0 + w) / factor, (y0 + h) / factor)
        box = (box[0], box[1], min(box[2], loaded.image.width), min(box[3], loaded.image.height))
        image = loaded.image.resize((w, h), Image.Resampling.BILINEAR, box=box)
        # In a corner: pictures to count in are not surrounded by empty slide either.
        left, top = int(rng.integers(2)) * (width - w), int(rng.integers(2)) * (height - h)
        picture = np.zeros((height, width, 3), dtype=np.float32)
        relit = self.lights.relight(image, loaded.light, loaded.cell_px * factor)
        picture[top : top + h, left : left + w] = relit
        boxes = loaded.boxes * _by(factor)
        boxes[:, 1::2] -= x0
        boxes[:, 2::2] -= y0
        kept = np.stack(
            [
                boxes[:, 0],
                np.clip(boxes[:, 1], 0, w),
                np.clip(boxes[:, 2], 0, h),
                np.clip(boxes[:, 3], 0, w),
                np.clip(boxes[:, 4], 0, h),
            ],
            axis=1,
        )
        left_over = np.minimum(kept[:, 3] - kept[:, 1], kept[:, 4] - kept[:, 2])
        # Rounding to whole pixels moves a border by less than one: that cuts nothing.
        uncut = (np.abs(kept - boxes) < 1.0).all(axis=1)
        visible = left_over >= loaded.visible * loaded.cell_px * factor
        kept = kept[uncut | visible]
        kept[:, 1::2] += left
        kept[:, 2::2] += top
        return picture, kept, (left, top, left + w, top + h)


def _by(factor: float) -> Floats:
    """Return what scales the rows of `Loaded.boxes`."""
    return np.array([1, factor, factor, factor, factor], dtype=np.float32)


def _points(boxes: Floats) -> Floats:
    """Return [n, 3] of type index and center of [n, 5] boxes."""
    centers = (boxes[:, 1:3] + boxes[:, 3:5]) / 2
    return np.concatenate([boxes[:, :1], centers], axis=1).astype(np.float32)
