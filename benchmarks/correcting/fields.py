"""Real fields, the cells in them, and what a reader must change in the suggested marks."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

TYPES = ("RBC", "WBC", "PLT")
# A mark means a cell when it lies this near to the middle of the cell's box: half the box, and for
# the smallest platelets as near as a reader would still call it "on the cell". Pixels.
LEAST_REACH = 10.0
# A new mark is put this far from all others, so that a click there means no mark beside it. Pixels.
APART = 16.0


@dataclass(frozen=True)
class Mark:
    """A point of one cell type, in pixels of the picture."""

    cell_type: str
    x: float
    y: float

    def to(self, other: Mark) -> float:
        """Return the distance to another mark in pixels."""
        return math.hypot(self.x - other.x, self.y - other.y)


@dataclass(frozen=True)
class Cell:
    """A cell of the reference: the middle of its box and how large that is, in pixels."""

    middle: Mark
    width: float
    height: float

    @property
    def reach(self) -> float:
        """How far from its middle a mark still means this cell."""
        return max(LEAST_REACH, (self.width + self.height) / 4)


@dataclass(frozen=True)
class RealField:
    """A picture and the cells in it."""

    path: Path
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Corrections:
    """What a reader does to suggested marks until each cell has one mark of its type."""

    remove: tuple[Mark, ...]
    retype: tuple[tuple[Mark, str], ...]
    add: tuple[Mark, ...]
    marks: tuple[Mark, ...]

    @property
    def number(self) -> int:
        """How many things are wrong in the suggestion."""
        return len(self.remove) + len(self.retype) + len(self.add)

    def differences(self, suggested: Iterable[Mark]) -> dict[str, int]:
        """Return the cells to add (above 0) or to take off (below) by type, where counts differ."""
        found = Counter(mark.cell_type for mark in self.marks)
        found.subtract(mark.cell_type for mark in suggested)
        return {code: found[code] for code in TYPES if found[code]}


def read(data: Path, number: int) -> list[RealField]:
    """Return so many re-annotated BCCD test fields, in the order of their names.

    Raises:
        OSError: the tables are not there.
        ValueError: there are fewer fields.
    """
    with (data / "fields.csv").open(newline="") as file:
        names = sorted(
            row["image"]
            for row in csv.DictReader(file)
            if row["source"] == "bccd" and row["split"] == "test" and row["rbc"]
        )
    if len(names) < number:
        raise ValueError(f"There are {len(names)} re-annotated test fields; ask for at most those.")
    cells: dict[str, list[Cell]] = {name: [] for name in names}
    with (data / "boxes.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["label_set"] == "txl" and row["image"] in cells:
                left, top, width, height = (float(row[key]) for key in "xywh")
                middle = Mark(row["cell_type"].upper(), left + width / 2, top + height / 2)
                cells[row["image"]].append(Cell(middle, width, height))
    return [RealField(data / name, tuple(cells[name])) for name in names[:number]]


def corrections(cells: Sequence[Cell], suggested: Sequence[Mark]) -> Corrections:
    """Compare suggested marks with the cells: what is wrong, and the marks that a reader leaves.

    Nearest pairs are taken first, of one type before those whose type is wrong.
    """
    right = _pairs(cells, suggested, same_type=True)
    open_cells = [cell for cell in cells if cell not in right]
    taken = set(right.values())
    open_marks = [mark for mark in suggested if mark not in taken]
    wrong = _pairs(open_cells, open_marks, same_type=False)
    retyped = set(wrong.values())
    remove = tuple(mark for mark in open_marks if mark not in retyped)
    retype = tuple((mark, cell.middle.cell_type) for cell, mark in wrong.items())
    marks = [mark for mark in suggested if mark in taken]
    marks += [Mark(code, mark.x, mark.y) for mark, code in retype]
    add: list[Mark] = []
    # Those of one type after the other: the fewest changes of what a click places.
    for cell in sorted(
        (cell for cell in open_cells if cell not in wrong),
        key=lambda cell: TYPES.index(cell.middle.cell_type),
    ):
        add.append(_free(cell, [*marks, *add]))
    return Corrections(remove, retype, tuple(add), (*marks, *add))


def _pairs(cells: Sequence[Cell], marks: Sequence[Mark], *, same_type: bool) -> dict[Cell, Mark]:
    near = sorted(
        (cell.middle.to(mark), i, j)
        for i, cell in enumerate(cells)
        for j, mark in enumerate(marks)
        if cell.middle.to(mark) <= cell.reach
        and (not same_type or mark.cell_type == cell.middle.cell_type)
    )
    pairs: dict[Cell, Mark] = {}
    used: set[int] = set()
    for _, i, j in near:
        if cells[i] not in pairs and j not in used:
            pairs[cells[i]] = marks[j]
            used.add(j)
    return pairs


def _free(cell: Cell, marks: Sequence[Mark]) -> Mark:
    """Return a place on a cell, the nearest to its middle that is apart from other marks."""
    middle = cell.middle
    places = [middle]
    for part in (0.3, 0.5, 0.7, 0.9):
        for turn in range(8):
            x = middle.x + part * cell.width / 2 * math.cos(turn * math.pi / 4)
            y = middle.y + part * cell.height / 2 * math.sin(turn * math.pi / 4)
            places.append(Mark(middle.cell_type, x, y))
    return max(places, key=lambda place: min([APART, *(place.to(mark) for mark in marks)]))


def same(found: Sequence[Mark], wanted: Sequence[Mark], within: float = 2.0) -> bool:
    """Say whether two sets of marks are the same, up to the pixel that a click falls on."""
    left = list(wanted)
    for mark in found:
        near = [w for w in left if w.cell_type == mark.cell_type and w.to(mark) <= within]
        if not near:
            return False
        left.remove(min(near, key=mark.to))
    return not left
