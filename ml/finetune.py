"""Stage 3: learn from a study's counts, without forgetting, and judge what came out.

Only the late half of the net learns: what the frozen early half makes of each field is computed
once. Base fields are replayed from the bundle. Intervals are calibrated anew on fields that the
fits which tell of them have not seen.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ml import bundle as bundles
from ml import calibrate, checkpoint, evaluate, gate, pictures
from ml import manifest as manifests
from ml import replay as replays
from ml.augment import SETTLED, Augmenter, load
from ml.data import BadData
from ml.examples import Seen, early_example
from ml.look import look, prepare
from ml.nets import Counter
from ml.optics import hue, lamp
from ml.predict import Predictor
from ml.progress import Reporter
from ml.replay import Example
from ml.tuning import KNOWN_RATES, NEW_RATES, Own, Task, blend, count_maps, tune

# Chosen by hand.
EPOCHS = 16
# Views cached per field: more for few fields, so that the memory stays bounded.
MOST_VIEWS, LEAST_VIEWS, VIEWS = 8, 2, 1200
# Parts of the study's fields for the intervals; a fit for them takes this share of the epochs.
FOLDS = 3
# Half of them, since so many fits more are needed.
FOLD_EPOCHS = 0.5
# With fewer residuals of its own, a study keeps the base's intervals where those are wider.
OWN_RESIDUALS = 10
# How far the weights go from the champion's to the learned ones: half way is better than all the
# way, from 4 fields to 40 (docs/training.md, "Learning from few fields"). A new type's output knew
# nothing before: it needs all of what is learned.
SHARE, SHARE_OF_NEW = 0.5, 1.0
# Shares of the work, for the progress line.
PREPARED, FOLDED, TUNED = 0.15, 0.5, 0.9


@dataclass(frozen=True)
class Options:
    """The command's arguments."""

    bundle: Path
    manifest: Path
    out: Path
    epochs: int | None = None
    seed: int = 0
    threads: int = 2


@dataclass(frozen=True)
class Learned:
    """The training fields as the late half sees them."""

    own: list[Own]
    names: list[str]
    features: list[Seen]
    hues: list[Seen]


def run(options: Options, reporter: Reporter) -> None:
    """Fine-tune, write OUT/bundle, and emit the result with the gate's verdict.

    Raises:
        BadBundle, BadData: the bundle or the manifest cannot be used, or nothing can be learned.
        Cancelled: SIGTERM came; OUT/checkpoint holds what is done.
    """
    manifest = manifests.read(options.manifest)
    if not manifest.of("train"):
        raise BadData("No counted fields to learn from. Count some fields, then retrain.")
    champion = Predictor(options.bundle, options.threads)
    base = champion.bundle
    if base.config.input.frame:
        raise BadData(
            "This bundle counts in pictures of one fixed size and cannot learn from a study. "
            "Use a bundle with the head map."
        )
    types = _types(base, manifest)
    config = replace(
        base.config, cell_types=types, counting_rule=manifest.counting_rule, name="candidate"
    )
    reporter.log(
        f"Learning from {_n(len(manifest.of('train')), 'field')}, "
        f"judging on {_n(len(manifest.of('holdout')), 'hold-out field')}."
    )
    learned = _see(champion, manifest, types, options, reporter)
    share = SHARE_OF_NEW if len(types) > len(base.config.cell_types) else SHARE
    task = _task(base, manifest, learned, types, share, options, reporter)
    if words := checkpoint.difference(task.folder, task.stamp):
        reporter.log(f"{options.out} holds another training, which ends here: {words}.")
    spreads = _calibrate(champion.net, base, task, share, reporter)
    start = _widened(champion.net, len(types))
    net = copy.deepcopy(start)
    tune(net, task, _within(reporter, FOLDED, TUNED, "Learning the study's counts"))
    net = blend(start, net, share)
    novelty = base.calibration.novelty.with_center(
        np.stack(learned.features), np.stack(learned.hues)
    )
    candidate = bundles.Bundle(
        config=config,
        weights={name: value.numpy() for name, value in net.state_dict().items()},
        calibration=replace(base.calibration, spreads=spreads, novelty=novelty),
        metrics={},
        card=_card(base.card, len(learned.own), manifest, task.replay, share),
        replay=base.replay,
    )
    _judge(champion, candidate, manifest, len(learned.own), options, reporter)


def _counted(manifest: manifests.Manifest) -> set[str]:
    """Return the cell types that a training field has a count of."""
    return {code for entry in manifest.of("train") for code in entry.field.counts}


def _types(base: bundles.Bundle, manifest: manifests.Manifest) -> tuple[str, ...]:
    """Return the bundle's cell types, then those of the study's that are counted."""
    # A type that nobody counted yet would be an output that knows nothing.
    known, counted = base.config.cell_types, _counted(manifest)
    return known + tuple(c for c in manifest.cell_types if c in counted and c not in known)


def _task(
    base: bundles.Bundle,
    manifest: manifests.Manifest,
    learned: Learned,
    types: tuple[str, ...],
    share: float,
    options: Options,
    reporter: Reporter,
) -> Task:
    """Return what is to be learned, and say what of the champion's knowledge is held."""
    replay = [e.widened(len(types)) for e in replays.load(base.replay)] if base.replay else []
    kept = len(base.config.cell_types)
    if _counted(manifest) & set(base.config.cell_types):
        kept = 0
    if kept:
        reporter.log("Only new cell types are counted: the counts of the others stay as they are.")
        replay = []
    elif not replay:
        reporter.log("The bundle has no base features to replay: it may forget other slides.")
    new = len(types) > len(base.config.cell_types)
    stamp = {
        "base": bundles.digest(options.bundle),
        "manifest": hashlib.sha256(options.manifest.read_bytes()).hexdigest(),
        "fields": learned.names,
        "epochs": options.epochs or EPOCHS,
        "seed": options.seed,
        "recipe": [*(NEW_RATES if new else KNOWN_RATES), share],
    }
    return Task(
        own=learned.own,
        replay=replay,
        types=types,
        epochs=options.epochs or EPOCHS,
        seed=options.seed,
        folder=options.out / "checkpoint" / "all",
        stamp=stamp,
        kept=kept,
        new=new,
    )


def _judge(
    champion: Predictor,
    candidate: bundles.Bundle,
    manifest: manifests.Manifest,
    trained: int,
    options: Options,
    reporter: Reporter,
) -> None:
    """Measure both on the hold-out fields, write the bundle and emit the result."""
    bundles.save(candidate, options.out / "bundle")
    challenger = Predictor(options.out / "bundle", options.threads)
    entries = manifest.of("holdout")
    truths: list[Mapping[str, int]] = []
    slides: list[str] = []
    told: dict[str, list[evaluate.Told]] = {"champion": [], "candidate": []}
    for number, entry in enumerate(entries, 1):
        step = f"Judging on hold-out field {number} of {len(entries)}"
        reporter.progress(TUNED + (1 - TUNED) * number / (len(entries) + 1), step)
        try:
            image = pictures.read(entry.field.path).image
        except (OSError, pictures.BadPicture) as error:
            reporter.log(f"Left out hold-out field {entry.field.name}: {_why(error)}")
            continue
        truths.append(entry.field.counts)
        slides.append(entry.field.group)
        scale = [entry.microns_per_pixel]
        told["champion"] += [evaluate.told(f) for f in champion.predict([image], scale)]
        told["candidate"] += [evaluate.told(f) for f in challenger.predict([image], scale)]
    scores = {
        name: evaluate.score(truths, answers, manifest.cell_types, intervals=False, slides=slides)
        for name, answers in told.items()
    }
    verdict = gate.judge(
        scores["champion"],
        scores["candidate"],
        tolerance=manifest.tolerance,
        min_fields=manifest.min_holdout_fields,
    )
    counted = {"train": trained, "holdout": len(truths)}
    metrics = {**scores["candidate"], "fields": counted, "seed": options.seed}
    reporter.check()
    bundles.save(replace(candidate, metrics=metrics), options.out / "bundle")
    reporter.progress(1.0, "Done")
    reporter.emit(
        "result",
        champion=scores["champion"],
        candidate=scores["candidate"],
        fields=counted,
        verdict={"promote": verdict.promote, "text": verdict.text},
    )


def _see(
    champion: Predictor,
    manifest: manifests.Manifest,
    types: tuple[str, ...],
    options: Options,
    reporter: Reporter,
) -> Learned:
    """Turn the training fields into features, several views each."""
    entries = manifest.of("train")
    config = champion.bundle.config
    views = int(np.clip(VIEWS // len(entries), LEAST_VIEWS, MOST_VIEWS))
    learned = Learned([], [], [], [])
    for number, entry in enumerate(entries, 1):
        step = f"Reading field {number} of {len(entries)}"
        reporter.progress(PREPARED * (number - 1) / len(entries), step)
        try:
            image = pictures.read(entry.field.path).image
        except (OSError, pictures.BadPicture) as error:
            reporter.log(f"Left out field {entry.field.name}: {_why(error)}")
            continue
        if any(not mark.inside(image.size) for mark in entry.field.marks):
            name = entry.field.name
            reporter.log(f"Left out field {name}: it has a mark outside its picture.")
            continue
        work = prepare(image, entry.microns_per_pixel, config)
        look(champion.net, [work], config)
        # Learned from at the size it is counted at, also where `work.held` keeps its cells narrow.
        item = load(entry.field, image, config.input.cell_px / work.factor, types, config.input)
        off = math.log2(work.seen_px(config) / config.input.cell_px)
        rng = np.random.default_rng([options.seed, number])
        augmenter = Augmenter(config.input, SETTLED, rng)
        seen = [early_example(champion.net, augmenter, item, plain=i == 0) for i in range(views)]
        examples = [replace(one, log_scale=one.log_scale + off) for one, _ in seen]
        learned.own.append(Own(examples, entry.field.group))
        learned.names.append(entry.field.name)
        learned.features.append(seen[0][1])
        pixels, inside = work.shown()
        learned.hues.append(hue(pixels, work.light, lamp(pixels, inside)))
    if not learned.own:
        raise BadData("None of the pictures to learn from can be read. Upload them again.")
    return learned


def _calibrate(
    net: Counter, base: bundles.Bundle, task: Task, share: float, reporter: Reporter
) -> dict[str, calibrate.Spread]:
    """Return intervals from residuals of fields that the fit which counted them had not seen,
    blended with the champion like the candidate itself.
    """
    parts = _folds([own.group for own in task.own])
    residuals: dict[str, list[calibrate.Residual]] = {code: [] for code in task.types}
    epochs = max(1, round(FOLD_EPOCHS * task.epochs))
    for number in range(max(parts) + 1):
        rest = [own for own, part in zip(task.own, parts, strict=True) if part != number]
        unseen = [own.views[0] for own, part in zip(task.own, parts, strict=True) if part == number]
        if not rest:
            continue
        folder = task.folder.with_name(f"part-{number}")
        fold = replace(
            task, own=rest, epochs=epochs, folder=folder, stamp={**task.stamp, "part": number}
        )
        start = PREPARED + (FOLDED - PREPARED) * number / (max(parts) + 1)
        end = PREPARED + (FOLDED - PREPARED) * (number + 1) / (max(parts) + 1)
        first = _widened(net, len(task.types))
        fitted = copy.deepcopy(first)
        tune(fitted, fold, _within(reporter, start, end, "Learning how far to trust the counts"))
        fitted = blend(first, fitted, share)
        for example, maps in zip(unseen, count_maps(fitted, unseen), strict=True):
            for index, code in enumerate(task.types):
                if example.known[index]:
                    true = float(example.counts[index])
                    told = calibrate.residual(true, maps[index], by_map=base.calibration.by_map)
                    residuals[code].append(told)
    return {
        code: _spread(values, base.calibration.spreads.get(code))
        for code, values in residuals.items()
    }


def _spread(
    residuals: Sequence[calibrate.Residual], base: calibrate.Spread | None
) -> calibrate.Spread:
    if not residuals:
        # A type nobody counted in the study, or only in one slide: the base's word, or none.
        return base or calibrate.GUESS
    own = calibrate.quantiles(residuals)
    if base is None or own.n >= OWN_RESIDUALS:
        return own
    return own.at_least(base)


def _folds(groups: Sequence[str]) -> list[int]:
    """Split by slide where there are slides enough, else by field; every part has some."""
    names = sorted(set(groups))
    if len(names) >= FOLDS:
        return [names.index(group) % FOLDS for group in groups]
    return [i % min(FOLDS, len(groups)) for i in range(len(groups))]


def _widened(net: Counter, types: int) -> Counter:
    """Return a copy of the net with channels for all types."""
    wider = copy.deepcopy(net)
    if types > wider.head.types:
        torch.manual_seed(0)
        wider.head.widen(types)
    return wider


def _within(reporter: Reporter, low: float, high: float, step: str) -> Callable[[float], None]:
    return lambda share: reporter.progress(low + (high - low) * share, step)


def _card(
    base: str, fields: int, manifest: manifests.Manifest, replay: Sequence[Example], share: float
) -> str:
    note = (
        f"\n## Fine-tuned\n\nOn {_n(fields, 'field')} counted in a study "
        f"(cell types {', '.join(manifest.cell_types)}; counting rule {manifest.counting_rule}), "
        f"with {_n(len(replay), 'base field')} replayed; {share:.0%} of the way from the "
        "weights before to the learned ones. Its measures are in metrics.json.\n"
    )
    return base.split("\n## Fine-tuned\n")[0] + note


def _n(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, pictures.BadPicture) else "its picture is missing."
