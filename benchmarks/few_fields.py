"""What does a study's fine-tuning give, by how many fields it learned from?

    python -m benchmarks.few_fields --data ../shared/data --bundle ONE_LAB/bundle --source pbc

The bundle knows one lab only; fields of another (training fields: nothing is chosen by those that
judge) teach their counts, without marks, and its other fields judge. Prints for each draw of fields
how far off the counts were before and after, and how many the intervals held.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml import finetune, gate
from ml.bundle import BASE
from ml.data import BASE_TYPES, Field, read_fields
from ml.progress import Reporter


def main() -> int:
    """Measure and print, a line for each fine-tuning."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, default=BASE)
    parser.add_argument("--source", required=True, help="the lab to learn, as in fields.csv")
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 8, 20, 40])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--judged", type=int, default=150, help="fields that judge")
    options = parser.parse_args()
    fields = [
        field
        for field in read_fields(options.data, splits=["train"])
        if field.group == options.source and field.counts.keys() >= set(BASE_TYPES)
    ]
    order = np.random.default_rng(0).permutation(len(fields))
    judges = [fields[int(i)] for i in order[: options.judged]]
    others = [fields[int(i)] for i in order[options.judged :]]
    for size in options.sizes:
        for draw in range(options.draws):
            chosen = np.random.default_rng([draw, size]).permutation(len(others))[:size]
            result = tuned(options.bundle, [others[int(i)] for i in chosen], judges, draw)
            print(f"{size} fields, draw {draw}: {told(result)}", flush=True)
    return 0


def tuned(bundle: Path, teach: Sequence[Field], judges: Sequence[Field], seed: int) -> Any:
    """Return the result of one fine-tuning, as `ml.finetune.run` emits it."""
    rows = [
        {"image": str(field.path), "split": split, "counts": dict(field.counts), "group": "slide"}
        for split, part in (("train", teach), ("holdout", judges))
        for field in part
    ]
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.json"
        manifest.write_text(json.dumps({"cell_types": list(BASE_TYPES), "fields": rows}))
        finetune.run(
            finetune.Options(bundle, manifest, Path(folder) / "out", seed=seed, threads=1),
            Reporter(said),
        )
    return json.loads(said.getvalue().splitlines()[-1])


def told(result: Any) -> str:
    """Say what a fine-tuning gave: red cells, all types in units of counting noise, intervals."""
    sides = [result[side]["types"] for side in ("champion", "candidate")]
    red = " -> ".join(f"{side['RBC']['mae']:.2f}" for side in sides)
    over_all = " -> ".join(f"{gate.overall(side):.3f}" for side in sides)
    held = " -> ".join(f"{side['RBC']['covered']:.0%}" for side in sides)
    return f"red cells {red}, over all {over_all}, red cells inside their intervals {held}"


if __name__ == "__main__":
    raise SystemExit(main())
