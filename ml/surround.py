"""The dark surround of a round field, as a phone at the eyepiece takes it: find it, take it out.

The edge of what an eyepiece shows is a circle. What lies beyond it is no stain, however dark: it
becomes empty slide, and what is measured of a picture is measured inside. A picture without such
a surround is left as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml.config import InputConfig
from ml.optics import PROBE_SIDE, Floats, background, lamp, probe

Doubles = NDArray[np.float64]
# What follows was chosen by hand on training fields, plain and shown through circles
# (`benchmarks/round.py`). A surround is darker in each color than this share of the empty slide's
# light; in plain fields no pixel of the probe is, nuclei included.
DARK = 0.35
# At least so much of the picture's border and of all of it lies in the surround, and at least so
# much of it is seen through the circle.
BORDER = 0.08
LEAST_DARK = 0.005
LEAST_SEEN = 0.1
# Of the places where it gets light on the way in from the border, so many lie on the circle, this
# near (pixels of the probe). Cells at its edge and reflections beyond it are the others.
ON_CIRCLE = 0.8
NEAR = 1.5
ROUNDS = 4
# Share of what lies beyond the circle that is dark, and of what lies inside that may be.
BEYOND_DARK = 0.95
INSIDE_DARK = 0.05
# How the light falls off at the edge is read along so many rays, from this far inside to this far
# outside (shares of the circle's radius), at the part of the rays that shows glass.
RAYS = 360
FEWEST_RAYS = 12
READ = (0.15, 0.06)
STEPS = 160
GLASS = 80.0
# So many of the innermost steps tell how light it is just inside.
INNER = 40
# With less of the light than this a place is taken for the surround.
CUT = 0.5
# What leaves more than this is the lamp's fall, not the edge's.
SLOWLY = 0.97
# Inside, the light is evened as it is at so many places each way.
EVENED = 256
# A picture is cleared in strips of so many pixels: bounds the memory.
STRIP = 1_000_000


@dataclass(frozen=True)
class Circle:
    """The edge of a round field: its middle and radius as shares of the picture's width."""

    x: float
    y: float
    radius: float

    def inside(self, rows: int, columns: int, width: float) -> NDArray[np.bool_]:
        """Return which of [rows, columns] places lie inside; the picture is `width` of them wide.

        The places are the picture's from its upper left corner on.
        """
        down, across = self.offsets(rows, columns, width)
        return np.asarray(down**2 + across**2 <= (self.radius * width) ** 2)

    def share(self, size: tuple[int, int]) -> float:
        """Return the share of a picture of this width and height that lies inside."""
        width, height = PROBE_SIDE, max(1, round(PROBE_SIDE * size[1] / size[0]))
        return float(self.inside(height, width, width).mean())

    def offsets(self, rows: int, columns: int, width: float) -> tuple[Floats, Floats]:
        """Return how far places lie from the middle, down [rows, 1] and across [1, columns]."""
        down = np.arange(rows, dtype=np.float32)[:, None] + np.float32(0.5 - self.y * width)
        across = np.arange(columns, dtype=np.float32)[None, :] + np.float32(0.5 - self.x * width)
        return down, across


def shown(
    pixels: NDArray[np.uint8], circle: Circle | None
) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """Return the part of a picture [h, w, 3] that the circle takes up, and which pixels of it lie
    inside; all of the picture and None where there is no circle.
    """
    if circle is None:
        return pixels, None
    height, width = pixels.shape[:2]
    x, y, radius = circle.x * width, circle.y * width, circle.radius * width
    top, left = max(0, math.floor(y - radius)), max(0, math.floor(x - radius))
    part = slice(top, math.ceil(y + radius)), slice(left, math.ceil(x + radius))
    return pixels[part], circle.inside(height, width, width)[part]


def find(small: Image.Image, light: Floats) -> Circle | None:
    """Find the round field in a small picture; None where there is no dark surround.

    light: the percentile of all of the picture that is taken for the empty slide.
    """
    pixels = np.asarray(small)
    darkest = DARK * light
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    if (border < darkest).all(axis=1).mean() < BORDER:
        return None
    dark: NDArray[np.bool_] = np.all(pixels < darkest, axis=2)
    points = _ends(dark)
    fitted = _fit(points)
    if fitted is None:
        return None
    x, y, radius = fitted
    height, width = dark.shape
    on = np.abs(np.hypot(points[:, 0] - x, points[:, 1] - y) - radius) <= NEAR
    if on.mean() < ON_CIRCLE or not (0 <= x <= width and 0 <= y <= height):
        return None
    found = Circle(x / width, y / width, radius / width)
    down, across = found.offsets(height, width, width)
    away = np.hypot(down, across)
    beyond, inside = away > radius + NEAR, away < radius - NEAR
    if beyond.mean() < LEAST_DARK or inside.mean() < LEAST_SEEN:
        return None
    if dark[beyond].mean() < BEYOND_DARK or dark[inside].mean() > INSIDE_DARK:
        return None
    return found


def _ends(dark: NDArray[np.bool_]) -> Doubles:
    """Return where it gets light on straight ways in from the border, [n, 2] of x and y."""
    found = []
    for side, turned in enumerate((dark, dark[:, ::-1], dark.T, dark.T[:, ::-1])):
        far = np.argmin(turned, axis=1)
        lines = np.flatnonzero(far)  # 0: light from the start on, or dark to the end
        place = np.stack([far[lines].astype(np.float64), lines + 0.5], axis=1)
        if side % 2:
            place[:, 0] = turned.shape[1] - place[:, 0]
        found.append(place[:, ::-1] if side >= 2 else place)
    return np.concatenate(found)


def _fit(points: Doubles) -> tuple[float, float, float] | None:
    """Lay a circle through most points (Kasa 1976: least squares of x^2 + y^2 - a x - b y - c),
    leaving out more of those that lie off in each round.
    """
    kept = np.ones(len(points), dtype=np.bool_)
    x = y = radius = 0.0
    for _ in range(ROUNDS):
        near = points[kept]
        if len(near) < FEWEST_RAYS:
            return None
        terms = np.column_stack([near, np.ones(len(near))])
        (a, b, c), *_ = np.linalg.lstsq(terms, np.square(near).sum(axis=1), rcond=None)
        x, y = a / 2, b / 2
        radius = math.sqrt(max(0.0, c + x * x + y * y))
        off = np.abs(np.hypot(points[:, 0] - x, points[:, 1] - y) - radius)
        kept = off <= max(NEAR / 2, 2.0 * float(np.median(off)))
    return float(x), float(y), radius


def clear(image: Image.Image, config: InputConfig) -> tuple[Image.Image, Floats, Circle | None]:
    """Return a picture without its dark surround, the light of the empty slide, and the circle
    where there was one; any other picture comes back as it is.
    """
    small = probe(image)
    light = background(small, config)
    found = find(small, light)
    if found is None:
        return image, light, None
    clearly = replace(found, radius=found.radius * (1.0 - READ[1]))
    light = background(small, config, clearly.inside(small.height, small.width, small.width))
    pixels = np.array(image)
    circle = _even_edge(pixels, found)
    _even(pixels, circle)
    _lay_empty(pixels, circle, light)
    return Image.fromarray(pixels), light, circle


def _even_edge(pixels: NDArray[np.uint8], found: Circle) -> Circle:
    """Even the light at a circle's edge, in place; return the circle where half of it is left."""
    width = pixels.shape[1]
    radius = found.radius * width
    first, step = radius * (1.0 - READ[0]), radius * sum(READ) / (STEPS - 1)
    through, own = _edge(pixels, found, first + step * np.arange(STEPS))
    # The first place from which light is lost, and the first that is taken for the surround.
    lost, out = (int(np.argmax(low.any(axis=1))) for low in (through < 1.0, through <= CUT))
    gain = (1.0 / np.maximum(through, CUT)).astype(np.float32)
    begin, end = (first + step * (place - 0.5) for place in (lost, out))
    for these, away in _strips(pixels, found):
        strip = pixels[these]
        edge = (away >= begin**2) & (away < end**2)
        place = ((np.sqrt(away[edge]) - first) / step + 0.5).astype(np.intp)
        evened = own + (strip[edge] - own) * gain[place]
        strip[edge] = np.clip(evened + 0.5, 0.0, 255.0).astype(np.uint8)
    return replace(found, radius=end / width)


def _strips(pixels: NDArray[np.uint8], circle: Circle) -> Iterator[tuple[slice, Floats]]:
    """Yield the rows of a picture's strips, and the squared distance of each of their pixels to the
    circle's middle.
    """
    height, width = pixels.shape[:2]
    down, across = circle.offsets(height, width, width)
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        yield slice(top, top + rows), down[top : top + rows] ** 2 + across**2


def _edge(pixels: NDArray[np.uint8], found: Circle, radii: Doubles) -> tuple[Doubles, Floats]:
    """Return which share of the light comes through at each radius [n, 3], the innermost's being
    1, and the surround's own light [3].
    """
    height, width = pixels.shape[:2]
    angles = 2.0 * np.pi * (np.arange(RAYS) + 0.5) / RAYS
    x = found.x * width + np.cos(angles)[:, None] * radii
    y = found.y * width + np.sin(angles)[:, None] * radii
    whole = ((x >= 0) & (x < width) & (y >= 0) & (y < height)).all(axis=1)
    if whole.sum() < FEWEST_RAYS:
        hard = np.where(radii[:, None] < found.radius * width, 1.0, 0.0)
        return np.repeat(hard, 3, axis=1), np.zeros(3, dtype=np.float32)
    rays = pixels[y[whole].astype(np.intp), x[whole].astype(np.intp)]
    levels = np.percentile(rays, GLASS, axis=0)
    own = levels[-1]
    inner = levels[:INNER].mean(axis=0)
    through = np.clip((levels - own) / np.maximum(inner - own, 1.0), 0.0, 1.0)
    through = np.minimum.accumulate(through, axis=0)
    through[through > SLOWLY] = 1.0
    return through, own.astype(np.float32)


def _even(pixels: NDArray[np.uint8], circle: Circle) -> None:
    """Even the light inside, in place: an eyepiece's field gets darker toward its edge, and the
    fewer cells it shows, the more that makes of it.
    """
    part, inside = shown(pixels, circle)
    assert inside is not None
    height, width = inside.shape
    # The light varies slowly: read at a few places, the nearest of which serves.
    gain = 1.0 / lamp(part, inside).over(EVENED, EVENED)
    down, across = (np.arange(side) * EVENED // side for side in (height, width))
    gain = np.repeat(gain[:, across], 3, axis=1)  # a value for each color: no short inner loops
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        strip = part[top : top + rows]
        evened = strip.reshape(len(strip), 3 * width) * gain[down[top : top + rows]]
        evened += 0.5
        np.minimum(evened, 255.0, out=evened)
        strip[:] = evened.astype(np.uint8).reshape(strip.shape)


def _lay_empty(pixels: NDArray[np.uint8], circle: Circle, light: Floats) -> None:
    """Lay empty slide beyond a circle, in place, and over what is left of the surround near it: a
    phone held aslant sees no perfect circle.
    """
    empty = np.clip(light + 0.5, 0.0, 255.0).astype(np.uint8)
    darkest = (DARK * light).astype(np.uint8)
    radius = circle.radius * pixels.shape[1]
    for these, away in _strips(pixels, circle):
        colors = [pixels[these, :, color] for color in range(3)]
        dark = away > (radius * (1.0 - READ[0])) ** 2
        for color, level in zip(colors, darkest, strict=True):
            dark &= color < level
        dark |= away > radius**2
        for color, level in zip(colors, empty, strict=True):
            np.copyto(color, level, where=dark)
