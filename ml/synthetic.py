"""Smear fields drawn by a program, with counts that are exact: for tests, demos and sanity checks.

The picture is built the way a microscope sees a smear: every cell takes its share of the light
(optical densities add), the lamp lights the slide unevenly, the optics blur and the sensor adds
noise. Needs numpy and Pillow only. These pictures stand in for no real ones in any judgment of
the counter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ml.synthetic_cells import (
    paint_platelet,
    paint_red_cell,
    paint_white_cell,
    smooth_noise,
)
from ml.synthetic_layout import MAX_CELLS, Frame, place, press
from ml.synthetic_stains import STAINS, Array, Look, draw_look

__all__ = ["STAINS", "SyntheticField", "render", "render_slide"]

# Bounds to what is drawn, so that a typing error draws no picture for hours.
MIN_SIDE, MAX_SIDE = 32, 4096
MIN_CELL, MAX_CELL = 8.0, 1024.0


@dataclass(frozen=True)
class SyntheticField:
    """A drawn field: the RGB picture, one mark (code, x, y in pixels) per cell, and the counts."""

    image: Image.Image
    marks: list[tuple[str, float, float]]
    counts: dict[str, int]


def render(
    seed: int,
    *,
    width: int = 640,
    height: int = 480,
    red_cells: int = 25,
    white_cells: int = 1,
    platelets: int = 2,
    cell_px: float = 90.0,
    stain: str | None = None,
) -> SyntheticField:
    """Draw one field; the same arguments give the same pixels.

    Every cell that shows has its center inside the picture (0 <= x < width, 0 <= y < height) and
    its mark there, cells cut by the edge too; counts has the keys RBC, WBC and PLT.

    Args:
        seed: 0 or more.
        width: of the picture in pixels, 32 to 4096; so is `height`.
        height: see `width`.
        red_cells: how many; so are `white_cells` and `platelets`. 5000 at most together.
        white_cells: see `red_cells`.
        platelets: see `red_cells`.
        cell_px: width of a red cell (about 7 um) in pixels, 8 to 1024; the others follow.
        stain: one of `STAINS`; None draws one.

    Raises:
        ValueError: an argument is out of bounds, or so many cells would hide each other.
    """
    seed = _whole("seed", seed, 0, None)
    frame = _frame(width, height, cell_px)
    red = _whole("red_cells", red_cells, 0, MAX_CELLS)
    white = _whole("white_cells", white_cells, 0, MAX_CELLS)
    small = _whole("platelets", platelets, 0, MAX_CELLS)
    frame.refuse_crowd(red, white, small)
    rng = np.random.default_rng(seed)
    look = draw_look(rng, stain)
    return _draw(rng, look, frame, red, white, small)


def render_slide(
    seed: int,
    fields: int,
    *,
    width: int = 640,
    height: int = 480,
    red_cells: float = 22.0,
    white_cells: float = 1.0,
    platelets: float = 3.0,
    cell_px: float = 90.0,
    stain: str | None = None,
) -> Iterator[SyntheticField]:
    """Draw `fields` fields of one slide: one stain, lamp and camera, counts varied by field.

    Counts are Poisson about the means given; red cells, which a person looks for a good region
    of, vary half as much (standard deviation), and no field gets more than fit.

    Raises:
        ValueError: as `render`, at once and not at the first field; or `fields` is not 0 or more.
    """
    seed = _whole("seed", seed, 0, None)
    fields = _whole("fields", fields, 0, None)
    frame = _frame(width, height, cell_px)
    means = [
        _number("red_cells", red_cells, 0.0, MAX_CELLS),
        _number("white_cells", white_cells, 0.0, MAX_CELLS),
        _number("platelets", platelets, 0.0, MAX_CELLS),
    ]
    frame.refuse_crowd(*(math.ceil(mean) for mean in means))
    look = draw_look(np.random.default_rng([seed, 0]), stain)

    def draw() -> Iterator[SyntheticField]:
        for number in range(1, fields + 1):
            rng = np.random.default_rng([seed, number])
            white = min(int(rng.poisson(means[1])), frame.most_white())
            red = min(round(float(rng.poisson(4.0 * means[0])) / 4.0), frame.most_red(white))
            small = min(int(rng.poisson(means[2])), frame.most_platelets(white))
            yield _draw(rng, look, frame, red, white, small)

    return draw()


def _whole(name: str, value: object, low: int, high: int | None) -> int:
    span = f"{low} or more" if high is None else f"from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name} must be a whole number {span}, not {value!r}.")
    if value < low or (high is not None and value > high):
        raise ValueError(f"{name} must be {span}, not {value}.")
    return int(value)


def _number(name: str, value: object, low: float, high: float) -> float:
    span = f"from {low:g} to {high:g}"
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ValueError(f"{name} must be a number {span}, not {value!r}.")
    if not low <= float(value) <= high:  # refuses NaN too
        raise ValueError(f"{name} must be {span}, not {value}.")
    return float(value)


def _frame(width: object, height: object, cell_px: object) -> Frame:
    return Frame(
        _whole("width", width, MIN_SIDE, MAX_SIDE),
        _whole("height", height, MIN_SIDE, MAX_SIDE),
        _number("cell_px", cell_px, MIN_CELL, MAX_CELL),
    )


def _draw(
    rng: np.random.Generator, look: Look, frame: Frame, red: int, white: int, small: int
) -> SyntheticField:
    """Place, paint and photograph the cells."""
    bodies = place(rng, look, frame, red, white, small)
    press(rng, bodies)
    density = np.zeros((frame.height, frame.width, 3), dtype=np.float32)
    painters = {"RBC": paint_red_cell, "WBC": paint_white_cell, "PLT": paint_platelet}
    for code, painter in painters.items():
        for body in bodies:
            if body.code == code:
                painter(rng, density, body, look, frame.cell_px)
    marks = [(body.code, round(body.x, 2), round(body.y, 2)) for body in bodies]
    counts = {"RBC": red, "WBC": white, "PLT": small}
    return SyntheticField(_photograph(rng, density, look, frame), marks, counts)


def _photograph(rng: np.random.Generator, density: Array, look: Look, frame: Frame) -> Image.Image:
    """Light the slide, blur by the optics, add the sensor's noise; 8-bit RGB."""
    shape = (frame.height, frame.width)
    plasma = smooth_noise(rng, shape, 1.5 * frame.cell_px)
    plasma = plasma + 0.5 * smooth_noise(rng, shape, 0.2 * frame.cell_px)
    veil = np.float32(0.006) * plasma
    x = np.linspace(-1.0, 1.0, frame.width, dtype=np.float32)[None, :]
    y = np.linspace(-1.0, 1.0, frame.height, dtype=np.float32)[:, None]
    light = 1.0 - look.vignette * 0.5 * ((x - look.lamp[0]) ** 2 + (y - look.lamp[1]) ** 2)
    light = light + look.slope[0] * x + look.slope[1] * y
    for at_x, at_y, radius, strength in look.dust:
        # Dust on the camera is far out of focus, and on the same spot in all fields of a slide.
        away = (x - 2 * at_x + 1) ** 2 + ((y - 2 * at_y + 1) * frame.height / frame.width) ** 2
        light = light * (1.0 - strength * np.exp(-away / radius**2))
    sigma = frame.cell_px * look.focus * float(np.exp(rng.normal(0.0, 0.2)))
    noise = rng.standard_normal((*shape, 3), dtype=np.float32)
    out = np.empty((*shape, 3), dtype=np.uint8)
    for channel in range(3):
        tint = (1.0, 1.25, 0.8)[channel]  # plasma proteins stain faintly lilac
        through = np.exp(-density[:, :, channel] - np.float32(tint) * veil)
        # Blue is focused a little worse by most lenses.
        sharp = _blur(through * light, sigma * (1.0, 1.0, 1.2)[channel])
        level = sharp * np.float32(look.background[channel])
        grain = look.noise * np.sqrt(np.maximum(level, 8.0) / 200.0)  # shot noise
        out[:, :, channel] = np.clip(level + grain * noise[:, :, channel] + 0.5, 0.0, 255.0)
    return Image.fromarray(out)


def _blur(plane: Array, sigma: float) -> Array:
    """Gaussian blur of [h, w] by `sigma` pixels, edges repeated."""
    sigma = max(0.4, sigma)
    reach = math.ceil(2.6 * sigma)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for axis in (0, 1):
        pad = [(reach, reach) if axis == a else (0, 0) for a in (0, 1)]
        wide = np.pad(plane, pad, mode="edge")
        plane = np.zeros_like(plane)
        for i, tap in enumerate(taps):
            piece = wide[i : i + plane.shape[0]] if axis == 0 else wide[:, i : i + plane.shape[1]]
            plane += tap * piece
    return plane
