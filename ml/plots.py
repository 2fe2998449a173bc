"""Plots of the results as SVG. matplotlib draws them where it is installed; nothing else asks
for it, so that it is no requirement of the program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ml import metrics
from ml.metrics import Doubles

MISSING = "install matplotlib (`pip install -r benchmarks/plots.txt`) and call this again."
Drawn = tuple[Path, str]


def able() -> bool:
    """Return whether plots can be drawn here."""
    return find_spec("matplotlib") is not None


def scatter(path: Path, title: str, true: Doubles, told: Doubles) -> Drawn:
    """Draw predicted against counted, a dot a field."""
    true, told = _known(true, told)
    with _axes(path, title, "counted by people", "counted by the program") as axes:
        _dots(axes, true, told)
    return path, f"{title}: predicted against counted"


def bland_altman(path: Path, title: str, true: Doubles, told: Doubles) -> Drawn:
    """Draw differences over means with the bias and the limits of agreement."""
    true, told = _known(true, told)
    apart, mean = told - true, (told + true) / 2
    bias, upper = metrics.bias(true, told), metrics.limit(true, told, 1)
    reach = 0.0 if upper is None else upper - bias
    with _axes(path, title, "mean of both counts", "program - people") as axes:
        axes.scatter(mean, apart, s=14, alpha=0.6, linewidths=0)
        for value, style in ((bias, "-"), (bias - reach, "--"), (bias + reach, "--")):
            axes.axhline(value, color="black", linestyle=style, linewidth=1)
            axes.annotate(
                f"{value:+.1f}",
                (1.0, value),
                xycoords=("axes fraction", "data"),
                xytext=(3, -3),
                textcoords="offset points",
                fontsize=8,
            )
    return path, f"{title}: Bland-Altman, bias {bias:+.2f}, limits of agreement ±{reach:.2f}"


@dataclass(frozen=True)
class Curve:
    """A condition's learning curves by seed; those of one `color` differ in where they begin."""

    name: str
    color: int
    dashed: bool
    seeds: Sequence[Mapping[str, Any]]


def learning(path: Path, backbone: str, curves: Sequence[Curve]) -> Drawn:
    """Draw the red cells' error on training fields held out, over epochs; the mean of seeds."""
    title = f"Learning curves of {backbone}"
    with _axes(path, title, "epoch", "red cells off a field (MAE)") as axes:
        for curve in curves:
            epochs = curve.seeds[0]["epochs"]
            same = [seed for seed in curve.seeds if seed["epochs"] == epochs]
            values = np.mean([[mae["RBC"] for mae in seed["mae"]] for seed in same], axis=0)
            axes.plot(
                epochs,
                values,
                label=curve.name,
                color=f"C{curve.color}",
                linestyle="--" if curve.dashed else "-",
                linewidth=1.3,
                marker=".",
                markersize=4,
            )
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=7)
    return path, f"{title}: red cells' mean absolute error on held-out training fields"


def label_noise(path: Path, ours: Doubles, old: Doubles) -> Drawn:
    """Draw BCCD's own red-cell counts against the re-annotation of the same fields."""
    ours, old = _known(ours, old)
    title = "The same fields, counted twice by people"
    with _axes(path, title, "re-annotated", "BCCD's own labels") as axes:
        _dots(axes, ours, old)
    return (
        path,
        f"Red cells of the same fields: {old.sum():.0f} in BCCD, {ours.sum():.0f} re-annotated",
    )


def _known(a: Doubles, b: Doubles) -> tuple[Doubles, Doubles]:
    known = np.isfinite(a) & np.isfinite(b)
    return a[known], b[known]


def _dots(axes: Any, x: Doubles, y: Doubles) -> None:
    top = max(float(x.max(initial=1.0)), float(y.max(initial=1.0))) * 1.05
    axes.plot([0, top], [0, top], color="black", linewidth=1)
    axes.scatter(x, y, s=14, alpha=0.6, linewidths=0)
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    axes.set_aspect("equal")


@contextmanager
def _axes(path: Path, title: str, x: str, y: str) -> Iterator[Any]:
    """Give axes to draw on and write them as SVG, the same bytes for the same numbers."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "path", "font.size": 9}):
        figure = Figure(figsize=(5.2, 4.2), layout="constrained")
        axes = figure.subplots()
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        yield axes
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
