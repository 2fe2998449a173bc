"""results.md: what the pieces of the ablation say, as tables and in words, with plots beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ml import metrics, plots
from ml.ablation import KINDS, SHIPPED, STARTS, Place, judging_fields, old_counts, pieces
from ml.data import BASE_TYPES, read_fields
from ml.files import read_json, write_bytes
from ml.metrics import Doubles

BEGINS = {"scratch": "from scratch", "stage1": "stage 1", "imagenet": "ImageNet"}
HEADS = {
    ("fc", "counts"): "fully connected, counts",
    ("map", "counts"): "map, counts only",
    ("map", "marks"): "map, counts and marks",
}
CELLS = {"RBC": "red cells", "WBC": "white cells", "PLT": "platelets"}
SETS = {
    "test": "BCCD test fields, re-annotated (every visible cell)",
    "old": "The same pictures, judged by BCCD's own labels",
    "external": "Another lab's fields (BCDD), never trained on",
}
SHOWN = ("mae", "rmse", "bias", "r2", "weighted_ape", "aggregate_accuracy")
WITH_INTERVAL = ("mae", "bias", "aggregate_accuracy")
FILE = "results.md"
HOW_TO_READ = """\
How to read the tables: MAE is by how many cells a field's count is off on average; bias is the
same with its sign (above 0: too many counted); RMSE weighs large errors more; R² is the share of
the differences between fields that the counter sees (below 0: worse than their mean); weighted APE
is the sum of all errors over the sum of all cells. "Published accuracy" is 1 - |sum counted - sum
true| / sum true over all fields (Alam and Islam 2019): over- and undercounts of different fields
cancel in it, so that it can be high where single fields are wrong. Counts are rounded to whole
cells. A figure is the mean over seeds (trainings that differ by chance only), with its bootstrap
95 % interval over fields."""
THE_FIFTY = """\
The paper reports about 50 % better counts by learning single cells first. Here, "better by" is how
much smaller the mean error per field is than that of the same net trained from scratch, in the
same fields and with as many seeds. Where the interval holds 0, these fields cannot tell a
difference from chance."""
NOISE = """\
BCCD's own labels leave out about half of the red cells in the picture (last plot). Two counts of
the same fields that hardly agree cannot both be met: an error measured by BCCD's own labels says
more about the labels than about the counter."""


@dataclass(frozen=True)
class Row:
    """A condition of the table: its seeds' answers in the fields that judge.

    told: by set and cell type, whole counts [fields, seeds]; curves: by seed.
    """

    backbone: str
    start: str
    head: str
    supervision: str
    told: Mapping[str, Mapping[str, Doubles]]
    curves: Sequence[Mapping[str, Any]]
    size: Mapping[str, Any]

    @property
    def seeds(self) -> int:
        """How many trainings it stands for."""
        return len(self.curves)

    @property
    def words(self) -> str:
        """Name it in a table."""
        return f"{self.backbone} | {HEADS[self.head, self.supervision]} | {BEGINS[self.start]}"


@dataclass(frozen=True)
class Truth:
    """What people counted: by set and cell type [fields]; NaN where a type was not counted.
    constants: by set and type the training fields' median, or None.
    """

    counts: Mapping[str, Mapping[str, Doubles]]
    constants: Mapping[str, Mapping[str, float]]


def write(place: Place, *, imagenet: bool) -> Path:
    """Write results.md and its plots into `place.out` from the pieces that are done."""
    rows, truth = read_rows(place), read_truth(place.data)
    parts = [_head(place, rows, imagenet)]
    for name, title in SETS.items():
        if name in truth.counts:
            parts.append(_table(name, title, rows, truth))
    parts.append(_differences(rows, truth))
    parts.append(_plots(place, rows, truth))
    file = place.out / FILE
    write_bytes(file, "\n\n".join(part for part in parts if part).encode() + b"\n")
    return file


def read_rows(place: Place) -> list[Row]:
    """Gather the pieces that are done into rows, a row for all seeds of a condition."""
    found: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for piece in pieces(quick=place.quick, imagenet=True):
        if place.result(piece).is_file():
            key = (piece.backbone, piece.start, piece.head, piece.supervision)
            found.setdefault(key, []).append(read_json(place.result(piece)))
    order = {key: i for i, key in enumerate(found)}
    rows = []
    for key in sorted(
        found, key=lambda k: (k[0], KINDS.index(k[2:]), STARTS.index(k[1]), order[k])
    ):
        results = found[key]
        told = {
            name: {
                code: np.floor(
                    np.array([[t[code] for t in r["sets"][name]["told"]] for r in results]).T + 0.5
                )
                for code in BASE_TYPES
            }
            for name in results[0]["sets"]
        }
        if "test" in told:
            told["old"] = told["test"]
        rows.append(Row(*key, told, [r["curve"] for r in results], results[0]["size"]))
    return rows


def read_truth(data: Path) -> Truth:
    """Read what people counted in the fields that judge, and what the best constants would be."""
    sets = judging_fields(data)
    older = old_counts(data)
    given = {name: [field.counts for field in fields] for name, fields in sets.items()}
    if "test" in sets and any(field.name in older for field in sets["test"]):
        given["old"] = [older.get(field.name, {}) for field in sets["test"]]
    counts = {
        name: {
            code: np.array([float(row.get(code, np.nan)) for row in rows]) for code in BASE_TYPES
        }
        for name, rows in given.items()
    }
    train = read_fields(data, splits=["train"])
    # The answer of someone who looks at no picture: learned where the test fields come from.
    groups = {field.group for field in sets.get("test", [])}
    own = [field for field in train if field.group in groups] or train
    full = [dict(field.counts) for field in own if set(field.counts) == set(BASE_TYPES)]
    medians = {"test": full, "old": [older[f.name] for f in own if f.name in older]}
    constants = {
        name: {code: float(np.median([r[code] for r in rows if code in r])) for code in BASE_TYPES}
        for name, rows in medians.items()
        if rows
    }
    return Truth(counts, constants)


def scored(true: Doubles, told: Doubles) -> dict[str, tuple[float | None, Any]]:
    """Return each measure's mean over seeds and, for those `WITH_INTERVAL`, the bootstrap 95 %
    interval over fields.

    true [fields], told [fields, seeds]; fields that nobody counted (NaN) are left out.
    """
    known = np.isfinite(true)
    true, told = true[known], told[known]
    out: dict[str, tuple[float | None, Any]] = {}
    for name in SHOWN:
        measure = metrics.MEASURES[name]

        def over_seeds(a: Doubles, b: Doubles, measure: Any = measure) -> float | None:
            values = [measure(a, b[:, seed]) for seed in range(b.shape[1])]
            return None if None in values else float(np.mean(values))

        span = metrics.interval(over_seeds, true, told) if name in WITH_INTERVAL else None
        out[name] = (over_seeds(true, told), span)
    return out


def _head(place: Place, rows: Sequence[Row], imagenet: bool) -> str:
    sizes = {row.backbone: row.size for row in rows}
    lines = [
        "# Results",
        "Made by `python -m ml reproduce --data DATA --out OUT"
        + (" --quick`: sizes for tests, the figures mean nothing." if place.quick else "`."),
        HOW_TO_READ,
    ]
    for backbone, size in sorted(sizes.items()):
        lines.append(
            f"- {backbone}: {size['epochs']} epochs, pictures scaled so that a red cell is "
            f"{size['cell_px']:.0f} pixels wide. {_stage1(place, backbone)}"
        )
    lines.append(
        "- Stage 1 is trained once for each backbone; its seeds share it. The head fc sees whole "
        "pictures in a square of fixed size. With counts only, no field is ever cropped; the "
        "width of red cells, which micrometers per pixel would tell, is known in all trainings."
    )
    if not imagenet:
        lines.append(
            "- ImageNet weights could not be downloaded where this was made: no rows of theirs."
        )
    return "\n\n".join(lines)


def _stage1(place: Place, backbone: str) -> str:
    """Say how well stage 1 tells cells apart; nothing where it was not made."""
    file = place.stage1(backbone) / "backbone" / "backbone.json"
    if not file.is_file():
        return ""
    told = read_json(file)
    right = told["metrics"]
    share = _share(right["accuracy"], right["accuracy_interval"])
    return (
        f"Stage 1: {told['settings']['epochs']} epochs on {told['crops']['train']} crops of single "
        f"cells; it names {share} of {right['n']} held-out ones right, of {len(right['classes'])} "
        "classes."
    )


def _table(name: str, title: str, rows: Sequence[Row], truth: Truth) -> str:
    lines = [f"## {title}"]
    for code, true in truth.counts[name].items():
        known = true[np.isfinite(true)]
        if not len(known):
            continue
        lines.append(
            f"\n### {CELLS[code].capitalize()}, {len(known)} fields, mean {_n(known.mean())}\n"
        )
        lines.append(
            "| backbone | head, learned from | begins | seeds | MAE (95 % interval) | RMSE | bias "
            "(95 % interval) | R² | weighted APE | published accuracy (95 % interval) |"
        )
        lines.append("|---|---|---|---|---|---|---|---|---|---|")
        for row in rows:
            if name in row.told:
                lines.append(
                    f"| {row.words} | {row.seeds} | {_cells(true, row.told[name][code])} |"
                )
        for words, value in _constants(name, code, known, truth):
            told = np.full((len(known), 1), value)
            lines.append(f"| *{words}* | | | | {_cells(known, told)} |")
    return "\n".join(lines)


def _constants(name: str, code: str, known: Doubles, truth: Truth) -> list[tuple[str, float]]:
    """Return constant answers for every field, in words and as a number."""
    out = []
    if name in truth.constants:
        value = truth.constants[name][code]
        out.append((f"always {value:g}, the training fields' median", value))
    best = float(np.median(known))
    return out + [(f"always {best:g}, these fields' own median", best)]


def _cells(true: Doubles, told: Doubles) -> str:
    s = scored(true, told)
    return " | ".join(
        [
            _with(s["mae"]),
            _n(s["rmse"][0]),
            _with(s["bias"], "+"),
            _n(s["r2"][0]),
            _share(s["weighted_ape"][0]),
            _share(*s["aggregate_accuracy"]),
        ]
    )


def _differences(rows: Sequence[Row], truth: Truth) -> str:
    """Say what learning single cells first (or ImageNet) changes, with intervals."""
    lines, sentences = [], []
    for before in rows:
        for after in rows:
            same = (after.backbone, after.head, after.supervision)
            if before.start != "scratch" or after.start == "scratch":
                continue
            if same != (before.backbone, before.head, before.supervision):
                continue
            for name, code in product(SETS, BASE_TYPES):
                change = _change(name, code, before, after, truth)
                if change is None:
                    continue
                title = SETS[name].split(",")[0]
                lines.append(f"| {title} | {CELLS[code]} | {after.words} | {change.cells} |")
                if code == "RBC":
                    sentences.append(f"- {title}; {after.words.replace(' | ', '; ')}: {change}.")
    if not lines:
        return ""
    head = [
        "## What learning single cells first changes",
        THE_FIFTY,
        "### In words",
        "\n".join(sentences),
        "### In figures",
    ]
    table = (
        "| fields | cells | backbone | head, learned from | begins | off by, from scratch | off by "
        "| better by, cells a field (95 % interval) | better by (95 % interval) |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    return "\n\n".join(head + ["\n".join([table, *lines])])


@dataclass(frozen=True)
class Change:
    """Mean errors per field of two trainings in the same fields, and how much better the second
    is: in cells a field and as a share, each with its interval.
    """

    before: float
    after: float
    gain: tuple[float, tuple[float, float]]
    share: tuple[float | None, tuple[float, float] | None]

    @property
    def cells(self) -> str:
        """Return cells of a table."""
        off = f"{_n(self.before)} | {_n(self.after)}"
        return f"{off} | {_with(self.gain, '+')} | {_share(*self.share)}"

    def __str__(self) -> str:
        low, high = self.gain[1]
        told = f"off by {_n(self.after)} instead of {_n(self.before)} red cells a field"
        if low > 0:
            return f"{told}; better, and by more than chance"
        if high < 0:
            return f"{told}; worse, and by more than chance"
        return f"{told}; no difference that these fields can tell from chance"


def _change(name: str, code: str, first: Row, second: Row, truth: Truth) -> Change | None:
    """Compare two rows in one set of fields; None where these were not counted."""
    true = truth.counts.get(name, {}).get(code)
    if true is None or name not in first.told or not np.isfinite(true).any():
        return None
    known = np.isfinite(true)
    seeds = min(first.seeds, second.seeds)
    before, after = (
        np.abs(row.told[name][code][known, :seeds] - true[known, None]).mean(axis=1)
        for row in (first, second)
    )
    spread = metrics.interval(lambda a, b: float((a - b).mean()), before, after)
    assert spread is not None
    return Change(
        float(before.mean()),
        float(after.mean()),
        (float((before - after).mean()), spread),
        (_gain(before, after), metrics.interval(_gain, before, after)),
    )


def _gain(before: Doubles, after: Doubles) -> float | None:
    return None if before.sum() == 0 else float(1 - after.sum() / before.sum())


def _plots(place: Place, rows: Sequence[Row], truth: Truth) -> str:
    """Draw the plots and return the Markdown that shows them."""
    if not plots.able():
        return f"Plots were left out: {plots.MISSING}"
    drawn = []
    shipped = [r for r in rows if (r.backbone, r.head, r.supervision) == SHIPPED] or list(rows)
    best = shipped[-1]
    for name in ("test", "external"):
        if name in truth.counts and name in best.told:
            true = truth.counts[name]["RBC"]
            told = best.told[name]["RBC"].mean(axis=1)
            title = f"Red cells: {SETS[name].split(',')[0]}"
            drawn.append(plots.scatter(place.out / f"counted-{name}.svg", title, true, told))
            drawn.append(plots.bland_altman(place.out / f"agreement-{name}.svg", title, true, told))
    curves = [(row.words.replace(" | ", ", "), row.curves) for row in rows]
    drawn.append(plots.learning(place.out / "learning.svg", curves))
    if "old" in truth.counts and "test" in truth.counts:
        a, b = truth.counts["test"]["RBC"], truth.counts["old"]["RBC"]
        drawn.append(plots.label_noise(place.out / "label-noise.svg", a, b))
    name = f"{best.words.replace(' | ', ', ')}, mean of {best.seeds} seed(s)"
    images = "\n".join(f"![{alt}]({path.name})" for path, alt in drawn)
    return f"## Plots\n\nCounts are those of {name}.\n\n{images}\n\n{NOISE}"


def _n(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.2f}".replace("-0.00", "0.00")


def _share(value: float | None, span: tuple[float, float] | None = None) -> str:
    told = "-" if value is None else f"{value:.1%}"
    return told if span is None else f"{told} ({span[0]:.1%} to {span[1]:.1%})"


def _with(pair: tuple[float | None, Any], sign: str = "") -> str:
    value, span = pair
    told = _n(value, sign)
    return told if span is None else f"{told} ({_n(span[0], sign)} to {_n(span[1], sign)})"
