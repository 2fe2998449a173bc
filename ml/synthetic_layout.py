"""Where the cells of a synthetic smear lie, and how many a person could still count."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.synthetic_cells import Body
from ml.synthetic_stains import Look

# More than any field holds: a bound to the time that placing takes.
MAX_CELLS = 5000
# Centers of two red cells are at least this share of their radii's sum apart: both outlines and
# most of both cells stay visible, so that a person can count them.
RED_GAP = 0.74
# White cells hardly lie on others; chosen by eye.
WHITE_GAP = 0.97
# Share of the area that discs shrunk by these gaps may cover. Random placement without moving
# anything jams at 0.547 (random sequential adsorption); it is still quick at this share.
FULL = 0.43
# Tries to place a cell before another layout is begun.
TRIES = 30
# Widths of white cells in red cell widths (7 um): lymphocytes 9-12 um, others 12-17 um; and how
# often each kind is seen in blood.
WHITE_KINDS: dict[str, tuple[float, float, float]] = {
    "neutrophil": (0.58, 1.65, 2.0),
    "lymphocyte": (0.26, 1.2, 1.6),
    "monocyte": (0.08, 1.9, 2.25),
    "eosinophil": (0.06, 1.7, 2.0),
    "basophil": (0.02, 1.5, 1.75),
}
# Room made for a white cell, about a neutrophil's width; platelets are 2-3 um wide.
WHITE_WIDTH = 1.85
PLATELET_WIDTH = 0.38


@dataclass(frozen=True)
class Frame:
    """The picture's size and the red cell's width in pixels: what fits in."""

    width: int
    height: int
    cell_px: float

    def _disc(self, diameter: float) -> float:
        """Share of the space for centers that a disc of `diameter` pixels takes."""
        return math.pi * diameter**2 / 4.0 / ((self.width + diameter) * (self.height + diameter))

    def _white(self) -> float:
        return self._disc(self.cell_px * WHITE_WIDTH * WHITE_GAP)

    def most_white(self) -> int:
        """White cells that fit when there are no others, at least 1."""
        return max(1, int(FULL / self._white()))

    def most_red(self, white: int) -> int:
        """Red cells that fit beside `white` white cells; at least 1 where there are none."""
        room = int((FULL - white * self._white()) / self._disc(self.cell_px * RED_GAP))
        return max(room, 0 if white else 1)

    def most_platelets(self, white: int) -> int:
        """Platelets that fit beside `white` white cells; they may lie on red cells."""
        share = min(0.15, FULL - white * self._white())
        room = int(share / self._disc(self.cell_px * PLATELET_WIDTH * 1.2))
        return max(room, 0 if white else 1)

    def refuse_crowd(self, red: int, white: int, small: int) -> None:
        """Raise ValueError when these counts do not fit without hiding each other."""
        size = f"{self.width} x {self.height} pixels with red cells {self.cell_px:g} pixels wide"
        if red + white + small > MAX_CELLS:
            raise ValueError(f"At most {MAX_CELLS} cells can be drawn in one field.")
        if white > self.most_white():
            raise ValueError(
                f"{white} white cells would hide each other in {size}: "
                f"at most {self.most_white()} white cells fit."
            )
        if red > self.most_red(white):
            raise ValueError(
                f"{red} red and {white} white cells would hide each other in {size}: "
                f"at most {self.most_red(white)} red cells fit."
            )
        if small > self.most_platelets(white):
            raise ValueError(
                f"{small} platelets and {white} white cells would hide each other in {size}: "
                f"at most {self.most_platelets(white)} platelets fit."
            )


def place(
    rng: np.random.Generator, look: Look, frame: Frame, red: int, white: int, small: int
) -> list[Body]:
    """Give every cell a center inside the picture.

    Raises:
        ValueError: no room was found for a cell in any of many tries.
    """
    for attempt in range(TRIES):
        # At first cells keep apart where they can; a field this does not fill is tried again with
        # cells as close as they may lie.
        bodies = _try_to_place(rng, look, frame, (red, white, small), spread=attempt < 2)
        if bodies is not None:
            return bodies
    raise ValueError(
        "No room was found for all cells without hiding some; ask for fewer or smaller ones."
    )


def _try_to_place(
    rng: np.random.Generator,
    look: Look,
    frame: Frame,
    counts: tuple[int, int, int],
    *,
    spread: bool,
) -> list[Body] | None:
    """Draw sizes and centers: white cells first, then red, then platelets; None when stuck."""
    red, white, small = counts
    bodies: list[Body] = []
    kinds = list(WHITE_KINDS)
    odds = np.array([WHITE_KINDS[k][0] for k in kinds])
    for _ in range(white):
        kind = kinds[int(rng.choice(len(kinds), p=odds / odds.sum()))]
        span = rng.uniform(*WHITE_KINDS[kind][1:])
        bodies.append(Body("WBC", kind, 0.0, 0.0, 0.5 * frame.cell_px * span))
    bodies.sort(key=lambda body: -body.radius)
    for _ in range(red):
        share = float(np.clip(rng.normal(1.0, look.anisocytosis), 0.8, 1.2))
        bodies.append(Body("RBC", "red", 0.0, 0.0, 0.5 * frame.cell_px * share))
    for _ in range(small):
        span = float(np.clip(PLATELET_WIDTH * math.exp(rng.normal(0.0, 0.2)), 0.25, 0.6))
        bodies.append(Body("PLT", "platelet", 0.0, 0.0, 0.5 * frame.cell_px * span))
    placed = np.zeros((len(bodies), 3))
    for number, body in enumerate(bodies):
        center = _find_room(rng, look, frame, bodies, placed[:number], number, spread)
        if center is None:
            return None
        body.x, body.y = center
        placed[number] = body.x, body.y, body.radius
    return bodies


def _find_room(
    rng: np.random.Generator,
    look: Look,
    frame: Frame,
    bodies: list[Body],
    placed: NDArray[np.float64],
    number: int,
    spread: bool,
) -> tuple[float, float] | None:
    """A center for body `number` among those placed before it ([n, 3]: x, y, radius), or None."""
    body = bodies[number]
    codes = np.array([other.code for other in bodies[:number]], dtype="U3")
    least, wanted = np.full(number, RED_GAP), np.full(number, 1.04)
    least[codes == "WBC"] = WHITE_GAP
    if body.code == "PLT":
        least[codes == "PLT"] = 1.2
        least[codes == "RBC"] = 0.0
    if not spread:
        wanted = np.maximum(least, 1e-6)
    leaning = body.code == "RBC" and rng.uniform() < look.clumping and bool((codes == "RBC").any())
    best: tuple[float, float, float] | None = None
    for attempt in range(60):
        x = rng.uniform(0.5, frame.width - 1.0, 32)
        y = rng.uniform(0.5, frame.height - 1.0, 32)
        if leaning and attempt < 4:
            # Lie against or partly on a red cell that is already there.
            other = placed[rng.choice(np.flatnonzero(codes == "RBC"), 32)]
            away = (other[:, 2] + body.radius) * rng.uniform(0.82, 1.02, 32)
            turn = rng.uniform(0.0, 2.0 * math.pi, 32)
            x, y = other[:, 0] + away * np.cos(turn), other[:, 1] + away * np.sin(turn)
        inside = (x >= 0.5) & (x < frame.width - 0.5) & (y >= 0.5) & (y < frame.height - 0.5)
        if not number:
            return float(x[0]), float(y[0])
        gaps = np.hypot(x[:, None] - placed[:, 0], y[:, None] - placed[:, 1])
        gaps = gaps / (placed[:, 2] + body.radius)
        allowed = inside & (gaps >= least).all(axis=1)
        if not allowed.any():
            continue
        worth = np.where(allowed, (gaps / wanted).min(axis=1), -1.0)
        if leaning and attempt < 4:
            pick = int(np.flatnonzero(allowed)[0])
            return float(x[pick]), float(y[pick])
        free = np.flatnonzero(worth >= 1.0)
        pick = int(free[0]) if len(free) else int(worth.argmax())
        if best is None or worth[pick] > best[0]:
            best = (float(worth[pick]), float(x[pick]), float(y[pick]))
        # A free place is looked for a few times; then the least crowded one must do.
        if best[0] >= 1.0 or attempt >= 6:
            break
    return None if best is None else best[1:]


def press(rng: np.random.Generator, bodies: list[Body]) -> None:
    """Let touching cells flatten each other: always against white cells, often among red ones."""
    cells = [body for body in bodies if body.code != "PLT"]
    spots = np.array([(body.x, body.y, body.radius) for body in cells]).reshape(-1, 3)
    for number, one in enumerate(cells):
        later = spots[number + 1 :]
        gaps = np.hypot(later[:, 0] - one.x, later[:, 1] - one.y)
        for index in np.flatnonzero(gaps <= 1.1 * (later[:, 2] + one.radius)):
            two, gap = cells[number + 1 + int(index)], float(gaps[index])
            reach = one.radius + two.radius
            white = "WBC" in (one.code, two.code)
            if not white and (gap < 0.88 * reach or rng.uniform() < 0.45):
                continue  # these lie on each other
            direction, part = math.atan2(two.y - one.y, two.x - one.x), one.radius / reach
            one.contacts.append((direction, gap * part * 0.985))
            two.contacts.append((direction + math.pi, gap * (1.0 - part) * 0.985))
