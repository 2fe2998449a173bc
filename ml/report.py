"""results.md: the ablation as tables and in words, with plots beside."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ml import metrics, plots
from ml.ablation import KINDS, SHIPPED, Place
from ml.data import BASE_TYPES
from ml.files import read_json, write_bytes
from ml.metrics import Doubles
from ml.results import Change, Row, Truth, compare, read_rows, read_truth, scored

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
FILE = "results.md"
# Means of the same numbers may differ by less than this.
ROUNDING = 1e-9
# Where the plots lie beside it, as in the project's docs/; those of another backbone have other
# names, so that both reports may lie side by side.
PICTURES = "pictures/results"
HOW_TO_READ = """\
How to read the tables: MAE is by how many cells a field's count is off on average; bias is the
same with its sign (above 0: too many counted); RMSE weighs large errors more; R² is the share of
the differences between fields that the counter sees (below 0: worse than their mean); weighted APE
is the sum of all errors over the sum of all cells. "Published accuracy" is 1 - |sum counted - sum
true| / sum true over all fields (Alam and Islam 2019): over- and undercounts of different fields
cancel in it, so that it can be high where single fields are wrong. Counts are rounded to whole
cells. A figure is the mean over seeds (trainings that differ by chance only), with its bootstrap
95 % interval."""
INTERVALS = """\
Intervals are over fields and seeds: what other fields and other seeds might have given is what
"chance" means below. So few seeds show less than all of what chance does to a training, and stage 1
was trained once: intervals are rather too narrow than too wide."""
THE_FIFTY = """\
The paper reports about 50 % better counts by learning single cells first. Here, "better by" is how
much smaller the mean error per field is than that of the same net trained from scratch, in the
same fields and with as many seeds. Where the interval holds 0, it may all be chance."""
TOGETHER = """\
| fields | cells | off by, from scratch | off by, stage 1 first | better by, cells a field \
(95 % interval) | better by (95 % interval; the paper: about 50 %) |
|---|---|---|---|---|---|"""
NOISE = """\
BCCD's own labels leave out about half of the red cells in the picture (last plot). Two counts of
the same fields that hardly agree cannot both be met: an error measured by BCCD's own labels says
more about the labels than about the counter."""


def write(place: Place, *, only: Sequence[str], imagenet: bool) -> Path:
    """Write results.md and its plots into `place.out` from the pieces that are done; `only` is told
    as it was asked for.
    """
    rows, truth = read_rows(place), read_truth(place.data)
    parts = [_head(place, rows, truth, only, imagenet)]
    for name, title in SETS.items():
        if name in truth.counts:
            parts.append(_table(name, title, rows, truth))
    parts.append(_differences(rows, truth))
    parts.append(_plots(place, rows, truth))
    file = place.out / FILE
    write_bytes(file, "\n\n".join(part for part in parts if part).encode() + b"\n")
    return file


def _head(
    place: Place, rows: Sequence[Row], truth: Truth, only: Sequence[str], imagenet: bool
) -> str:
    sizes = {row.backbone: row.size for row in rows}
    asked = shlex.join(word for name in only for word in ("--only", name))
    command = f"python -m ml reproduce --data DATA --out OUT {asked}".rstrip()
    lines = [
        f"# Results with {' and '.join(sorted(sizes))}",
        f"Made by `{command}"
        + (" --quick`: sizes for tests, the figures mean nothing." if place.quick else "`."),
        HOW_TO_READ,
        INTERVALS,
    ]
    for backbone, size in sorted(sizes.items()):
        lines.append(
            f"- {backbone}: {size['epochs']} epochs, pictures scaled so that a red cell is "
            f"{size['cell_px']:.0f} pixels wide. {_stage1(place, backbone)}"
        )
        lines += [
            f"- At this size and in so few epochs {backbone} counts {CELLS[code]} no better than "
            "one number for all fields would, however it begins and learns."
            for code in _guessed([row for row in rows if row.backbone == backbone], truth)
        ]
    lines.append(
        "- Stage 1 is trained once for each backbone; its seeds share it. The head fc sees whole "
        "pictures in a square of fixed size. With counts only, no field is ever cropped; the "
        "width of red cells, which micrometers per pixel would tell, is known in all trainings."
    )
    if not imagenet:
        why = (
            "are not asked for with --quick"
            if place.quick
            else "could not be downloaded where this was made"
        )
        lines.append(f"- ImageNet weights {why}: no rows of theirs.")
    return "\n\n".join(lines)


def _guessed(rows: Sequence[Row], truth: Truth) -> list[str]:
    """Return the cell types of the test fields that no row counts better than the best constant."""
    guessed = []
    for code, true in truth.counts.get("test", {}).items():
        known = np.isfinite(true)
        tables = [row.told["test"][code][known] for row in rows if "test" in row.told]
        if known.any() and tables:
            least = min(float(np.abs(told - true[known, None]).mean()) for told in tables)
            if least > metrics.constant_mae(true[known]) - ROUNDING:
                guessed.append(code)
    return guessed


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
                    f"| {_words(row)} | {row.seeds} | {_cells(true, row.told[name][code])} |"
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


def _pairs(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Return each row trained from scratch with those that differ in what they began with only."""
    return [
        (before, after)
        for before in rows
        for after in rows
        if before.start == "scratch"
        and after.start != "scratch"
        and (before.backbone, before.head, before.supervision)
        == (after.backbone, after.head, after.supervision)
    ]


def _differences(rows: Sequence[Row], truth: Truth) -> str:
    """Say what learning single cells first (or ImageNet) changes, with intervals."""
    lines, sentences = [], []
    for pair in _pairs(rows):
        for name, code in product(SETS, BASE_TYPES):
            change = compare(name, code, [pair], truth)
            if change is None:
                continue
            title = SETS[name].split(",")[0]
            lines.append(f"| {title} | {CELLS[code]} | {_words(pair[1])} | {_changed(change)} |")
            if code == "RBC":
                words = _words(pair[1]).replace(" | ", "; ")
                sentences.append(f"- {title}; {words}: {_said(change)}.")
    if not lines:
        return ""
    head = [
        "## What learning single cells first changes",
        THE_FIFTY,
        "### All trainings together",
        _together(rows, truth),
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


def _together(rows: Sequence[Row], truth: Truth) -> str:
    """Return a table of what stage 1 changes, errors averaged over all backbones and heads."""
    pairs = [pair for pair in _pairs(rows) if pair[1].start == "stage1"]
    lines = [TOGETHER]
    for name, code in product(SETS, BASE_TYPES):
        if change := compare(name, code, pairs, truth):
            title = SETS[name].split(",")[0]
            lines.append(f"| {title} | {CELLS[code]} | {_changed(change)} |")
    return "\n".join(lines)


def _changed(change: Change) -> str:
    """Return cells of a table."""
    off = f"{_n(change.before)} | {_n(change.after)}"
    return f"{off} | {_with(change.gain, '+')} | {_share(*change.share)}"


def _said(change: Change) -> str:
    """Say what a change of the red cells' error means."""
    low, high = change.gain[1]
    told = f"off by {_n(change.after)} instead of {_n(change.before)} red cells a field"
    if low > 0:
        return f"{told}; better, and by more than chance"
    if high < 0:
        return f"{told}; worse, and by more than chance"
    return f"{told}; no difference beyond chance"


def _words(row: Row) -> str:
    """Name a row in a table."""
    return f"{row.backbone} | {HEADS[row.head, row.supervision]} | {BEGINS[row.start]}"


def _plots(place: Place, rows: Sequence[Row], truth: Truth) -> str:
    """Draw the plots and return the Markdown that shows them."""
    if not plots.able():
        return f"Plots were left out: {plots.MISSING}"
    drawn, folder = [], place.out / PICTURES
    shipped = [r for r in rows if (r.backbone, r.head, r.supervision) == SHIPPED] or list(rows)
    best = shipped[-1]
    for name in ("test", "external"):
        if name in truth.counts and name in best.told:
            true = truth.counts[name]["RBC"]
            told = best.told[name]["RBC"].mean(axis=1)
            title = f"Red cells: {SETS[name].split(',')[0]}"
            for kind, draw in (("counted", plots.scatter), ("agreement", plots.bland_altman)):
                file = folder / f"{kind}-{name}-{best.backbone}.svg"
                drawn.append(draw(file, title, true, told))
    for backbone in sorted({row.backbone for row in rows}):
        curves = [
            plots.Curve(
                f"{HEADS[row.head, row.supervision]}, {BEGINS[row.start]}",
                KINDS.index((row.head, row.supervision)),
                row.start == "scratch",
                row.curves,
            )
            for row in rows
            if row.backbone == backbone
        ]
        drawn.append(plots.learning(folder / f"learning-{backbone}.svg", backbone, curves))
    if "old" in truth.counts and "test" in truth.counts:
        a, b = truth.counts["test"]["RBC"], truth.counts["old"]["RBC"]
        drawn.append(plots.label_noise(folder / "label-noise.svg", a, b))
    name = f"{_words(best).replace(' | ', ', ')}, mean of {best.seeds} seed(s)"
    images = "\n".join(f"![{alt}]({PICTURES}/{path.name})" for path, alt in drawn)
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
