"""The model card of a bundle: what it is made from and how well it counts, in Markdown.

`card.md` is its template. What depends on the training is filled in here: from the bundle's
config, its metrics, the sources that fields.csv names, and what stage 1 left (`ml.stage1`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ml.config import BundleConfig, InputConfig, NetConfig

TEMPLATE = Path(__file__).with_name("card.md")
# Whom to credit, by the column source of fields.csv.
CREDITS = {
    "bccd": "BCCD dataset: Shenggan 2017, MIT license; split of Alam and Islam 2019; boxes of "
    "TXL-PBC: Gan et al. 2024, MIT license",
    "pbc": "*A dataset of microscopic peripheral blood cell images for development of automatic "
    "recognition systems*: Acevedo et al. 2020, CC BY 4.0 (shrunk by others, here scaled); boxes "
    "of TXL-PBC: Gan et al. 2024, MIT license",
    "bcdd": "blood-cell-detection-dataset: Aslan 2020, MIT license",
}
# The classes of single cells of Acevedo et al. 2020: whom to credit where stage 1 was not told.
PBC_CLASSES = (
    *("basophil", "eosinophil", "erythroblast", "ig"),
    *("lymphocyte", "monocyte", "neutrophil", "platelet"),
)
UNKNOWN = "whose they are, and under which license, was not told"
NAMES = {"bccd": "BCCD", "pbc": "PBC", "bcdd": "BCDD"}
SPLITS = {"test": "test fields", "external": "fields of another lab, never trained on"}
HEADS = {
    "map": "makes a map of cells per map pixel for each cell type; its sum is the count.",
    "fc": "counts from its mean features over the whole picture, fitted into a square "
    "(fully connected head).",
}
Told = Mapping[str, Any]


def write(
    config: BundleConfig,
    measured: Told,
    sources: Mapping[str, int],
    replayed: int,
    stage1: Told | None = None,
) -> str:
    """Return the card.

    measured: metrics.json, as `ml.base.measure` makes it. sources: training fields by source.
    replayed: fields kept as features. stage1: what stage 1 tells of itself, if it was begun with.
    """
    filled = TEMPLATE.read_text(encoding="utf-8")
    lines = [f"- {_n(n, 'field')}: {CREDITS.get(name, UNKNOWN)}." for name, n in sources.items()]
    if stage1 is not None:
        lines.append(_crops(stage1))
    judging = {name for split in SPLITS for name in measured.get(split, {}).get("sources", ())}
    lines += [
        f"- For measuring only: {CREDITS[name]}."
        for name in sorted(judging - set(sources))
        if name in CREDITS
    ]
    for name, words in {
        "net": f"{_net(config.net)} {HEADS[config.net.head]}",
        "cell_px": f"{config.input.cell_px:g}",
        "stage1": "" if stage1 is None else _learned(stage1),
        "labs": _labs(sources),
        "fields": f"{sum(sources.values()):,}",
        "replayed": f"{replayed:,}",
        "credits": "\n".join(lines),
        "metrics": _table(measured),
        "command": str(measured["command"]),
    }.items():
        filled = filled.replace("{{" + name + "}}", words)
    return filled


def _labs(sources: Mapping[str, int]) -> str:
    many = f"{len(sources)} sources" if len(sources) > 1 else "one source"
    return f"{many} only ({', '.join(NAMES.get(name, name) for name in sources)})"


def _net(net: NetConfig) -> str:
    return "A light residual net" if net.name == "hemanet" else f"A {net.name} of torchvision"


def _learned(stage1: Told) -> str:
    """Say what the net learned first, and how well it did; from backbone.json."""
    told, settings = stage1["metrics"], stage1["settings"]
    words = ["python -m ml pretrain --data CELLS --out STAGE1"]
    words += [f"--{name} {settings[name]}" for name in ("epochs", "seed", "policy")]
    words += [f"--{name} {settings[name]}" for name in ("limit",) if settings[name]]
    words += [f"--{name} {settings[name]}" for name in ("weights",) if settings[name] != "none"]
    net, plain = stage1["net"], NetConfig()
    words += [f"--backbone {net['name']}"] if net["name"] != plain.name else []
    words += [f"--norm {net['norm']}"] if net.get("norm", plain.norm) != plain.norm else []
    cell_px = stage1["input"]["cell_px"]
    words += [f"--cell-px {cell_px:g}"] if cell_px != InputConfig().cell_px else []
    low, high = told["accuracy_interval"]
    return (
        f"\nThe net first learned to name single cells (`{' '.join(words)}`):\n"
        f"{told['accuracy']:.1%} (95 % interval {low:.1%} to {high:.1%}) of {told['n']:,} crops "
        f"held out right,\nof {len(told['classes'])} classes; then it learned to count in fields."
    )


def _crops(stage1: Told) -> str:
    """Credit the single cells of stage 1."""
    classes = stage1["metrics"]["classes"]
    known = CREDITS["pbc"].split(";")[0] if tuple(classes) == PBC_CLASSES else UNKNOWN
    credit = stage1.get("credit") or known
    crops = _n(stage1["crops"]["train"], "crop")
    return f"- {crops} of single cells ({', '.join(classes)}): {credit}."


def _table(measured: Told) -> str:
    head = (
        "| fields | cells | n | MAE | 95 % interval | bias | best constant | 90 % interval covers "
        "| MAE, all seeds | bias, all seeds |"
    )
    lines = [head, "|---|---|---|---|---|---|---|---|---|---|"]
    for split, words in SPLITS.items():
        told = measured.get(split, {})
        sources = ", ".join(NAMES.get(name, name) for name in told.get("sources", ()))
        for code, s in told.get("types", {}).items():
            low, high = s["mae_interval"]
            seeds = told["seeds"][code]
            lines.append(
                f"| {sources}: {words} | {code} | {s['n']} | {s['mae']:.2f} "
                f"| {low:.2f} to {high:.2f} | {s['bias']:+.2f} | {s['constant_mae']:.2f} "
                f"| {s['covered']:.0%} | {np.mean(seeds['mae']):.2f} "
                f"| {np.mean(seeds['bias']):+.2f} |"
            )
    return "\n".join(lines)


def _n(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
