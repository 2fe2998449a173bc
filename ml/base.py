"""Make the shipped bundle: train, calibrate on fields not trained on, measure, write the card."""

from __future__ import annotations

import math
import zlib
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml import bundle as bundles
from ml import calibrate, card, metrics, pictures, stage1
from ml import replay as replays
from ml.augment import HARDENED, Augmenter, Loaded
from ml.config import SCALE_CLOSE, BundleConfig
from ml.data import BadData, Field, fold_of, read_fields
from ml.evaluate import Truth, evaluate
from ml.examples import early_example
from ml.files import write_json
from ml.look import Work, look, prepare
from ml.nets import Counter
from ml.predict import Predictor
from ml.progress import Follower
from ml.recalibrate import novelty
from ml.train import Report, Settings, load_fields, refuse_unfit, train

# Parts of the training fields, one of which calibrates: the usual five-fold share, a fifth.
FOLDS = 5
# Fields kept as features in the bundle, per group: enough to remember, small enough to ship.
REPLAYED = 100
# Pictures opened at a time.
CHUNK = 16


@dataclass(frozen=True)
class Plan:
    """What to make: `fold_epochs` for the nets that calibrate, each on the fields that one of the
    first `folds` fifths leaves, the rest for the shipped one, from at most `limit` fields; `seeds`
    trainings in all tell what chance does, the first is shipped.
    """

    data: Path
    out: Path
    settings: Settings
    fold_epochs: int
    command: str
    config: BundleConfig = field(default_factory=BundleConfig)
    limit: int | None = None
    seeds: int = 1
    folds: int = 1

    def folder(self, seed: int) -> Path:
        """Return where the training of a seed keeps its checkpoint."""
        return self.out / f"all-seed{seed}"


def make(
    plan: Plan, report: Report = print, check: Callable[[], None] = lambda: None
) -> bundles.Bundle:
    """Train and write the bundle to `plan.out`/bundle; goes on where an earlier call was killed.

    `check` is called at each step and may raise to end the work.

    Raises:
        BadData: the data folder or the folder of stage 1 cannot be used, the settings do not go
            together, or `plan.out` holds a training with other settings.
    """
    config, supervision = plan.config, plan.settings.supervision
    refuse_unfit(config.net, plan.settings)  # before all pictures are opened
    begun = stage1.read(Path(plan.settings.start)) if plan.settings.start else None
    plan.out.mkdir(parents=True, exist_ok=True)  # rather refused now than after an epoch
    fields = limited(read_fields(plan.data, splits=["train"]), plan.limit)
    loaded = load_fields(fields, config, supervision, report)
    marked = sum(all(field.marked(code) for code in field.counts) for field in fields)
    threads = plan.settings.threads
    report(
        f"{len(fields)} training fields, {marked} with a mark for each cell, {threads} thread(s)"
    )
    if begun and begun["input"]["cell_px"] != config.input.cell_px:
        report(
            f"Stage 1 saw red cells {begun['input']['cell_px']:g} pixels wide, here they are "
            f"{config.input.cell_px:g}: pretrain with the same --cell-px unless that is meant."
        )
    parts = [fold_of(field, FOLDS) for field in fields]
    unseen = [field for field, part in zip(fields, parts, strict=True) if part < plan.folds]
    _refuse_thin(unseen, config)
    residuals: dict[str, list[calibrate.Residual]] = {code: [] for code in config.cell_types}
    for number in range(plan.folds):
        out = [field for field, part in zip(fields, parts, strict=True) if part == number]
        if not out:  # few fields: no name falls into this part, so a fit would tell nothing
            continue
        report(f"Fit on four fifths, for residuals of the fifth ({number + 1} of {plan.folds})")
        rest = [item for item, part in zip(loaded, parts, strict=True) if part != number]
        settings = plan.settings.shortened(plan.fold_epochs)
        net = train(rest, config, settings, plan.out / f"fold{number}", report, check=check)
        for code, values in _residuals(net, out, config, report).items():
            residuals[code] += values
    write_json(plan.out / "residuals.json", residuals)
    spreads = {code: calibrate.quantiles(values) for code, values in residuals.items()}
    nets = []
    for number in range(plan.seeds):
        seed = plan.settings.seed + number
        report(f"Fit on all, seed {seed}")
        settings = replace(plan.settings, seed=seed)
        nets.append(train(loaded, config, settings, plan.folder(seed), report, check=check))
    net = nets[0]
    groups = [field.group for field in fields]
    fitted = novelty(net, loaded, groups, config, report)
    calibration = calibrate.Calibration(spreads, fitted)
    examples = _replay_examples(net, loaded, groups, config)
    replays.save(examples, plan.out / "replay.safetensors")
    made = bundles.Bundle(
        config=config,
        weights={name: value.numpy() for name, value in net.state_dict().items()},
        calibration=calibration,
        metrics={},
        card="",
        replay=plan.out / "replay.safetensors",
    )
    bundles.save(made, plan.out / "bundle")
    report("Measure")
    measured = measure(plan, nets, report)
    sources = dict(sorted(Tally(groups).items()))
    told = card.write(config, measured, sources, len(examples), begun)
    made = replace(made, metrics=measured, card=told)
    bundles.save(made, plan.out / "bundle")
    return made


def _refuse_thin(unseen: Sequence[Field], config: BundleConfig) -> None:
    """Refuse to begin where there would be nothing to calibrate a cell type's interval with."""
    for code in config.cell_types:
        if not any(code in field.counts for field in unseen):
            raise BadData(
                "Some fields, by their names, are held out to tell how far to trust the counts; "
                f"none of these has a count of {code}. Add fields in which it is counted."
            )


def limited(fields: list[Field], limit: int | None) -> list[Field]:
    """Return at most `limit` fields, drawn by their names: the same in every run."""
    names = sorted((f.name for f in fields), key=lambda name: zlib.crc32(name.encode()))
    drawn = set(names[:limit])
    return [f for f in fields if f.name in drawn]


def measure(plan: Plan, nets: Sequence[Counter], report: Report) -> dict[str, Any]:
    """Return the metrics of `plan.out`/bundle on the fields that were never trained on, and of
    `nets`, the trainings by seed, what chance does to them.
    """
    predictor = Predictor(plan.out / "bundle", plan.settings.threads)
    out: dict[str, Any] = {
        "command": plan.command,
        "seed": plan.settings.seed,
        "epochs": plan.settings.epochs + plan.settings.harden,
        "torch": torch.__version__.split("+")[0],
    }
    for split in ("test", "external"):
        try:
            fields = read_fields(plan.data, splits=[split])
        except BadData:
            continue
        truths = [Truth(field.path, dict(field.counts)) for field in fields]
        out[split] = evaluate(predictor, truths, Follower(report, f"Count {split}", len(truths)))
        out[split]["sources"] = sorted({field.group for field in fields})
        told = [
            count(
                net,
                fields,
                plan.config,
                Follower(report, f"Count {split}, seed {seed}", len(fields)),
            )
            for seed, net in enumerate(nets, plan.settings.seed)
        ]
        out[split]["seeds"] = _over_seeds(fields, told)
    return out


def _over_seeds(
    fields: Sequence[Field], told: Sequence[Sequence[dict[str, float]]]
) -> dict[str, Any]:
    """Return by cell type each seed's mean error of whole counts and its bias."""
    out: dict[str, Any] = {}
    for code in told[0][0]:
        known = [i for i, field in enumerate(fields) if code in field.counts]
        if not known:
            continue
        true = np.array([float(fields[i].counts[code]) for i in known])
        whole = [np.array([float(calibrate.rounded(t[i][code])) for i in known]) for t in told]
        out[code] = {
            "mae": [round(metrics.mae(true, one), 6) for one in whole],
            "bias": [round(metrics.bias(true, one), 6) for one in whole],
        }
    return out


def _residuals(
    net: Counter, fields: Sequence[Field], config: BundleConfig, report: Report
) -> dict[str, list[calibrate.Residual]]:
    out: dict[str, list[calibrate.Residual]] = {code: [] for code in config.cell_types}
    works = _looked(net, fields, config, Follower(report, "Count the fifth", len(fields)))
    for true, work in zip(fields, works, strict=True):
        assert work.maps is not None
        for code, one in zip(config.cell_types, work.maps, strict=True):
            if code in true.counts:
                out[code].append(calibrate.residual(true.counts[code], one))
    return out


def count(
    net: Counter,
    fields: Sequence[Field],
    config: BundleConfig,
    follow: Callable[[int], None] = lambda done: None,
) -> list[dict[str, float]]:
    """Return the raw counts by cell type of each field, its scale searched as for any picture."""
    return [raw_counts(work, config) for work in _looked(net, fields, config, follow)]


def _looked(
    net: Counter, fields: Sequence[Field], config: BundleConfig, follow: Callable[[int], None]
) -> Iterator[Work]:
    """Yield each field as the net sees it."""
    net.channels_last()
    for start in range(0, len(fields), CHUNK):
        part = fields[start : start + CHUNK]
        works = [prepare(pictures.read(field.path).image, None, config) for field in part]
        look(net, works, config)
        yield from works
        follow(start + len(works))


def raw_counts(work: Work, config: BundleConfig) -> dict[str, float]:
    """Return the sums of a looked-at picture's maps by cell type."""
    assert work.maps is not None
    sums = work.maps.sum(axis=(1, 2), dtype=np.float64)
    return {code: float(total) for code, total in zip(config.cell_types, sums, strict=True)}


def _replay_examples(
    net: Counter, loaded: Sequence[Loaded], groups: Sequence[str], config: BundleConfig
) -> list[replays.Example]:
    """Pick fully labeled fields of each group and show each in one light."""
    rng = np.random.default_rng(0)
    augmenter = Augmenter(config.input, HARDENED, rng)
    picked = []
    for group in sorted(set(groups)):
        own = [
            item for item, g in zip(loaded, groups, strict=True) if g == group and item.known.all()
        ]
        order = rng.permutation(len(own))[:REPLAYED]
        picked += [own[int(i)] for i in order]
    return [_replayed(net, augmenter, item, config, i % 2 == 0) for i, item in enumerate(picked)]


def _replayed(
    net: Counter, augmenter: Augmenter, item: Loaded, config: BundleConfig, plain: bool
) -> replays.Example:
    """Return an example at the scale the counter takes for the field, which is what it settled on:
    shown at another, base fields would teach every study to count fewer or more.
    """
    guess = config.input.guess * math.sqrt(item.image.width * item.image.height)
    off = math.log2(item.cell_px / guess)
    if config.input.frame or abs(off) > SCALE_CLOSE:
        return early_example(net, augmenter, item, plain=plain)[0]
    example, _ = early_example(net, augmenter, replace(item, cell_px=guess), plain=plain)
    return replace(example, log_scale=example.log_scale + off)
