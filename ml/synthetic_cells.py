"""The cells of a synthetic smear: each paints its optical density into a small patch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from ml.synthetic_stains import Array, Look, Rgb

ANGLES = np.linspace(0.0, 2.0 * math.pi, 129)


@dataclass
class Body:
    """A placed cell: code, kind, center and mean radius in pixels of the picture."""

    code: str
    kind: str
    x: float
    y: float
    radius: float
    # Neighbors that press against this cell: direction (radians) and distance (pixels) of the
    # contact line.
    contacts: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Patch:
    """The part of the density picture that one cell can touch."""

    density: Array  # [h, w, 3], a view into the picture's densities
    dx: Array  # [h, w] pixels from the cell's center
    dy: Array
    reach: int

    def add(self, weight: Array, color: Rgb) -> None:
        """Let `weight` [h, w] of a structure with the densities `color` take its light."""
        for channel in range(3):
            self.density[:, :, channel] += weight * np.float32(color[channel])

    def fade(self, weight: Array) -> None:
        """Take out `weight` (0..1) of all that was painted so far: what lies on top displaces."""
        self.density[...] *= (1.0 - weight)[:, :, None]


def open_patch(density: Array, body: Body, reach: float) -> Patch:
    """Cut out of `density` [H, W, 3] the window of `reach` pixels around the body."""
    height, width = density.shape[:2]
    size = math.ceil(reach)
    left, top = max(0, int(body.x) - size), max(0, int(body.y) - size)
    right, bottom = min(width, int(body.x) + size + 1), min(height, int(body.y) + size + 1)
    dx = np.arange(left, right, dtype=np.float32)[None, :] - np.float32(body.x)
    dy = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(body.y)
    shape = (bottom - top, right - left)
    return Patch(
        density[top:bottom, left:right],
        np.broadcast_to(dx, shape),
        np.broadcast_to(dy, shape),
        size,
    )


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> Array:
    """Noise of about unit deviation whose blobs are about `scale` pixels wide, [h, w]."""
    height, width = shape
    scale = max(1.0, scale)
    small_h, small_w = math.ceil(height / scale) + 3, math.ceil(width / scale) + 3
    small = Image.fromarray(rng.standard_normal((small_h, small_w), dtype=np.float32))
    # The box starts at a random fraction of a cell so that no lattice shows.
    left, top = rng.uniform(0.5, 1.5, 2)
    box = (left, top, left + width / scale, top + height / scale)
    large = small.resize((width, height), Image.Resampling.BICUBIC, box=box)
    return np.asarray(large, dtype=np.float32) * np.float32(1.35)


def ramp(low: float, high: float, value: Array) -> Array:
    """0 below `low`, 1 above `high`, a smooth step between."""
    t = np.clip((value - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)


def outline(rng: np.random.Generator, body: Body, *, oval: float, rough: float) -> Array:
    """Radius in pixels at `ANGLES`: an ellipse with smooth noise, pressed flat at contacts."""
    turn = rng.uniform(0.0, math.pi)
    stretch = 1.0 + oval
    c, s = np.cos(ANGLES - turn), np.sin(ANGLES - turn)
    radius = body.radius / np.sqrt((c / math.sqrt(stretch)) ** 2 + (s * math.sqrt(stretch)) ** 2)
    for waves in range(3, 9):
        radius *= 1.0 + rough * rng.normal() / (waves - 1) * np.cos(
            waves * ANGLES + rng.uniform(0.0, 2.0 * math.pi)
        )
    for direction, distance in body.contacts:
        facing = np.maximum(np.cos(ANGLES - direction), 1e-3)
        limit = distance / facing
        # A smooth minimum: membranes bend, they do not break.
        radius = (radius**-14 + limit**-14) ** (-1.0 / 14.0)
    return np.asarray(radius, dtype=np.float32)


def _polar(patch: Patch, radius: Array) -> tuple[Array, Array]:
    """Distance from the center and the outline's radius toward each pixel, both [h, w]."""
    distance = np.hypot(patch.dx, patch.dy)
    angle = np.arctan2(patch.dy, patch.dx) % np.float32(2.0 * math.pi)
    place = angle * np.float32((len(ANGLES) - 1) / (2.0 * math.pi))
    low = np.minimum(place.astype(np.int32), len(ANGLES) - 2)
    part = place - low
    toward = radius[low] * (1.0 - part) + radius[low + 1] * part
    return distance, np.asarray(toward, dtype=np.float32)


def paint_red_cell(
    rng: np.random.Generator, density: Array, body: Body, look: Look, cell_px: float
) -> None:
    """Paint a red cell: the biconcave disc's thickness times hemoglobin's color.

    The profile is the thickness of the resting human red cell, Evans & Fung 1972:
    sqrt(1 - p^2) (0.81 + 7.83 p^2 - 4.39 p^4) micrometers at the share p of the radius, 2.46 at
    its thickest; depth and width of the pallor are varied around it, and the edge is a little
    steeper, as cells dry flat.
    """
    oval = abs(rng.normal(0.0, look.oval)) + (0.3 if rng.uniform() < 0.06 else 0.02)
    radius = outline(rng, body, oval=oval, rough=0.018 * math.exp(rng.normal(0.3, 0.5)))
    patch = open_patch(density, body, float(radius.max()) + 2.0)
    distance, toward = _polar(patch, radius)
    shape = (distance.shape[0], distance.shape[1])
    share = np.clip(distance / toward, 0.0, 1.0)
    # The pallor is seldom in the very middle, nor a circle; both fade toward the rim.
    bend = 1.0 - share * share
    off_x, off_y = rng.normal(0.0, 0.07, 2) * body.radius
    inner = np.hypot(patch.dx - off_x * bend, patch.dy - off_y * bend) / toward
    inner = inner * (1.0 + 0.07 * bend * smooth_noise(rng, shape, 0.3 * cell_px))
    width = look.pallor_width * math.exp(rng.normal(0.0, 0.15))
    inner = np.clip(inner, 0.0, 1.0) ** np.float32(width)
    p2 = inner * inner
    dimple = (0.81 + 7.83 * p2 - 4.39 * p2 * p2) / 4.30
    depth = look.pallor * rng.normal(1.0, 0.16)
    if rng.uniform() < 0.08:
        depth *= 0.3  # a spherocyte, or a cell seen full
    depth = float(np.clip(depth, 0.15, 1.2))
    rim = np.clip(1.0 - share * share, 0.0, 1.0) ** np.float32(rng.uniform(0.38, 0.48))
    thick = np.maximum(rim * (1.0 - depth + depth * dimple), 0.0) * (4.30 / 2.46)
    thick = thick * (1.0 - 0.3 * (1.0 - depth)) / (1.0 + 0.35 * (1.0 - depth))
    texture = smooth_noise(rng, shape, 0.16 * cell_px)
    thick = thick * (1.0 + 0.025 * texture)
    line = np.exp(-(((toward - distance) / (0.03 * cell_px) - 1.0) ** 2))
    thick = thick + look.edge * line
    if rng.uniform() < look.drying:
        thick = thick + _drying_ring(rng, patch, body, cell_px)
    cover = ramp(-0.7, 0.7, toward - distance)
    tint = float(np.exp(rng.normal(0.0, 0.08)))
    patch.add(np.asarray(thick * cover * tint, dtype=np.float32), look.stain.red)


def _drying_ring(rng: np.random.Generator, patch: Patch, body: Body, cell_px: float) -> Array:
    """Water caught while the smear dried: a small dark ring with a bright middle."""
    x, y = rng.normal(0.0, 0.3, 2) * body.radius
    size = rng.uniform(0.04, 0.09) * cell_px
    away = np.hypot(patch.dx - x, (patch.dy - y) * rng.uniform(0.7, 1.4)) / size
    ring = np.exp(-(((away - 1.0) / 0.4) ** 2)) - 0.9 * np.exp(-((away / 0.6) ** 2))
    return np.asarray(rng.uniform(0.3, 1.1) * ring, dtype=np.float32)


def paint_platelet(
    rng: np.random.Generator, density: Array, body: Body, look: Look, cell_px: float
) -> None:
    """Paint a platelet: a pale irregular blob around a clump of purple granules."""
    radius = outline(rng, body, oval=abs(rng.normal(0.1, 0.25)), rough=0.07)
    patch = open_patch(density, body, float(radius.max()) * 1.3 + 3.0)
    distance, toward = _polar(patch, radius)
    shape = (distance.shape[0], distance.shape[1])
    edge = toward * (1.0 + 0.09 * smooth_noise(rng, shape, 0.09 * cell_px)) - distance
    soft = max(0.7, 0.035 * cell_px)
    cover = ramp(-soft, soft, edge)
    grains = smooth_noise(rng, shape, max(1.2, 0.05 * cell_px))
    middle = ramp(rng.uniform(-0.2, 0.15), 0.75, 1.0 - distance / toward)
    clump = middle * (0.4 + 0.75 * ramp(-0.5, 0.9, grains))
    strength = rng.uniform(0.7, 1.3)
    patch.fade(0.75 * cover)  # where it lies on a red cell it stands out, as in real smears
    patch.add(cover * 0.38, look.stain.blue)
    patch.add(np.asarray(clump * cover * strength, dtype=np.float32), look.stain.violet)


@dataclass(frozen=True)
class _Lobe:
    """A capsule in units of the cell's radius: from (x0, y0) to (x1, y1), radii at both ends."""

    x0: float
    y0: float
    x1: float
    y1: float
    r0: float
    r1: float


def _capsules(u: Array, v: Array, lobes: Sequence[_Lobe], melt: float) -> Array:
    """Signed distance to the melted union of capsules, below 0 inside, [h, w]."""
    total = np.full(u.shape, 9.0, dtype=np.float32)
    for lobe in lobes:
        ax, ay = lobe.x1 - lobe.x0, lobe.y1 - lobe.y0
        along = ((u - lobe.x0) * ax + (v - lobe.y0) * ay) / max(ax * ax + ay * ay, 1e-6)
        along = np.clip(along, 0.0, 1.0)
        gap = np.hypot(u - lobe.x0 - along * ax, v - lobe.y0 - along * ay)
        gap = gap - (lobe.r0 + along * (lobe.r1 - lobe.r0))
        blend = np.clip(0.5 + 0.5 * (total - gap) / melt, 0.0, 1.0)
        total = total + (gap - total) * blend - melt * blend * (1.0 - blend)
    return np.asarray(total, dtype=np.float32)


def _lobed(rng: np.random.Generator, count: int, size: float) -> tuple[list[_Lobe], float]:
    """`count` lobes on a bow, joined by thin threads."""
    step = {2: 2.3, 3: 1.65, 4: 1.4, 5: 1.2}[count] * rng.uniform(0.88, 1.1)
    start, bow = rng.uniform(0.0, 2.0 * math.pi), rng.uniform(0.42, 0.5)
    lobes: list[_Lobe] = []
    middles: list[tuple[float, float]] = []
    for i in range(count):
        angle = start + step * i + rng.normal(0.0, 0.1)
        away = bow * rng.uniform(0.8, 1.1)
        x, y = away * math.cos(angle), away * math.sin(angle)
        turn = angle + rng.normal(0.0, 0.7)
        length, r = rng.uniform(0.03, 0.13), size * rng.uniform(0.85, 1.15)
        ex, ey = length * math.cos(turn), length * math.sin(turn)
        lobes.append(_Lobe(x - ex, y - ey, x + ex, y + ey, r, r * rng.uniform(0.75, 1.0)))
        middles.append((x, y))
    for (x0, y0), (x1, y1) in itertools.pairwise(middles):
        lobes.append(_Lobe(x0, y0, x1, y1, 0.07, 0.07))
    return lobes, 0.045


def _bow(rng: np.random.Generator, thick: float, bend: float, away: float) -> list[_Lobe]:
    """One thick bent body: band, kidney or horseshoe, by thickness and bend."""
    start, pieces = rng.uniform(0.0, 2.0 * math.pi), 6
    shift = rng.uniform(0.0, 0.1)
    dots = []
    for i in range(pieces + 1):
        angle = start + bend * (i / pieces - 0.5)
        dots.append(
            (
                (away * math.cos(angle) - shift * math.cos(start)),
                (away * math.sin(angle) - shift * math.sin(start)),
                thick * (1.0 + 0.12 * rng.normal()),
            )
        )
    return [_Lobe(a[0], a[1], b[0], b[1], a[2], b[2]) for a, b in itertools.pairwise(dots)]


def _nucleus_lobes(rng: np.random.Generator, kind: str) -> tuple[list[_Lobe], float]:
    """The nucleus of a kind of white cell as capsules, and how far these melt together."""
    if kind == "lymphocyte":
        x, y = rng.normal(0.0, 0.05, 2)
        return _bow(rng, rng.uniform(0.66, 0.74), 0.8, 0.12) + [
            _Lobe(x, y, x, y, rng.uniform(0.7, 0.8), 0.7)
        ], 0.15
    if kind == "monocyte":
        return _bow(rng, rng.uniform(0.34, 0.42), rng.uniform(2.2, 3.4), 0.33), 0.12
    if kind == "basophil":
        return _lobed(rng, 3, 0.36)[0], 0.2
    if kind == "eosinophil":
        return _lobed(rng, 2 if rng.uniform() < 0.8 else 3, rng.uniform(0.28, 0.34))
    if rng.uniform() < 0.15:  # a band form
        return _bow(rng, rng.uniform(0.17, 0.22), rng.uniform(3.0, 4.4), 0.42), 0.06
    count = int(rng.choice([2, 3, 4, 5], p=[0.12, 0.45, 0.33, 0.10]))
    return _lobed(rng, count, {2: 0.3, 3: 0.25, 4: 0.225, 5: 0.2}[count])


def _granules(rng: np.random.Generator, shape: tuple[int, int], size: float, low: float) -> Array:
    """Round grains of about `size` pixels, 0..1: the peaks of two noises, so no worms form."""
    first = smooth_noise(rng, shape, max(1.4, size))
    second = smooth_noise(rng, shape, max(1.4, size))
    return ramp(low + 0.6, low + 1.7, np.maximum(first, second))


def paint_white_cell(
    rng: np.random.Generator, density: Array, body: Body, look: Look, cell_px: float
) -> None:
    """Paint a white cell: cytoplasm of its kind with granules, then the nucleus with chromatin."""
    kind, stain = body.kind, look.stain
    rough = {"monocyte": 0.05, "lymphocyte": 0.025}.get(kind, 0.018)
    radius = outline(rng, body, oval=abs(rng.normal(0.0, 0.08)), rough=rough)
    patch = open_patch(density, body, float(radius.max()) * 1.15 + 3.0)
    distance, toward = _polar(patch, radius)
    shape = (distance.shape[0], distance.shape[1])
    edge = toward * (1.0 + 0.012 * smooth_noise(rng, shape, 0.15 * cell_px)) - distance
    soft = max(0.7, 0.022 * cell_px)
    cover = ramp(-soft, soft, edge)
    cloud = smooth_noise(rng, shape, 0.22 * cell_px)
    fine = smooth_noise(rng, shape, max(1.3, 0.035 * cell_px))
    rim = np.exp(-np.maximum(edge, 0.0) / (0.12 * cell_px))
    patch.fade(cover)  # red cells give way to a white cell
    body_of = {"lymphocyte": stain.blue, "monocyte": stain.gray}.get(kind, stain.pink)
    body_weight = cover * (0.72 + 0.10 * cloud + 0.07 * fine + 0.35 * rim)
    if kind == "eosinophil":
        dots = 0.45 + 0.75 * _granules(rng, shape, 0.055 * cell_px, -0.3)
        patch.add(np.asarray(cover * dots, dtype=np.float32), stain.orange)
    elif kind == "basophil":
        dots = 1.1 * _granules(rng, shape, 0.07 * cell_px, 0.0)
        patch.add(np.asarray(cover * dots, dtype=np.float32), stain.violet)
    elif kind == "neutrophil":
        dots = ramp(0.3, 2.2, smooth_noise(rng, shape, max(1.3, 0.03 * cell_px)))
        patch.add(np.asarray(cover * rng.uniform(0.1, 0.28) * dots, dtype=np.float32), stain.violet)
    elif kind == "monocyte" and rng.uniform() < 0.7:
        holes = ramp(1.2, 1.9, smooth_noise(rng, shape, 0.1 * cell_px))  # vacuoles
        holes = holes * ramp(0.1 * cell_px, 0.2 * cell_px, edge)
        body_weight = body_weight * (1.0 - 0.8 * holes)
    patch.add(np.asarray(np.maximum(body_weight, 0.0), dtype=np.float32), body_of)
    _paint_nucleus(rng, patch, body, look, cell_px, edge)


def _paint_nucleus(
    rng: np.random.Generator, patch: Patch, body: Body, look: Look, cell_px: float, edge: Array
) -> None:
    shape = (edge.shape[0], edge.shape[1])
    lobes, melt = _nucleus_lobes(rng, body.kind)
    bend = 0.035
    u = patch.dx / body.radius + bend * smooth_noise(rng, shape, 0.25 * cell_px)
    v = patch.dy / body.radius + bend * smooth_noise(rng, shape, 0.25 * cell_px)
    gap = _capsules(u, v, lobes, melt) * np.float32(body.radius)
    gap = np.maximum(gap, 0.03 * cell_px - edge)  # the nucleus stays inside its cell
    soft = max(0.7, 0.014 * cell_px)
    cover = ramp(-soft, soft, -gap)
    # Chromatin: dark clumps and lighter channels between them, at two scales.
    coarse = {"lymphocyte": 0.16, "monocyte": 0.10}.get(body.kind, 0.12)
    loose = {"lymphocyte": 0.28, "monocyte": 0.38}.get(body.kind, 0.38)
    large = ramp(-0.4, 1.4, smooth_noise(rng, shape, coarse * cell_px))
    fine = ramp(-0.3, 1.5, smooth_noise(rng, shape, max(1.2, 0.05 * cell_px)))
    weight = 1.12 - loose * (0.65 * large + 0.8 * fine)
    membrane = np.exp(-((gap / (0.03 * cell_px) + 1.0) ** 2))
    weight = weight * (0.95 + 0.12 * membrane)
    if body.kind == "monocyte":
        weight = weight * 0.85
    patch.fade(cover * 0.85)
    patch.add(np.asarray(np.maximum(weight, 0.1) * cover, dtype=np.float32), look.stain.nucleus)
