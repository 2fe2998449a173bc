"""What a bundle calls unlike its training data: learned from the fields it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ml import bundle as bundles
from ml import calibrate
from ml.augment import Augmenter, Loaded, Zoom
from ml.config import BundleConfig
from ml.data import read_fields
from ml.examples import Seen, early_example
from ml.nets import Counter
from ml.optics import hue, lamp
from ml.predict import build
from ml.progress import Follower
from ml.surround import shown
from ml.train import Report, load_fields

# Views per field from which novelty is learned: as it is, and in other lights. Views as poor as the
# net was hardened for in place of one of these made another lab's training fields unlike twice as
# often, and found no fewer blurred ones.
VIEWS = 3


def novelty(
    net: Counter,
    loaded: Sequence[Loaded],
    groups: Sequence[str],
    config: BundleConfig,
    report: Report,
) -> calibrate.Novelty:
    """Fit the novelty score to fields as the net sees them; fields of one group look alike.

    The hue is that of the fields' own light: a gray picture is no other light of a red one.
    """
    augmenter = Augmenter(config.input, Zoom(), np.random.default_rng(0))
    rows: list[Seen] = []
    follow = Follower(report, "What is like these fields", VIEWS * len(loaded), "views")
    for number in range(VIEWS):
        for item in loaded:
            rows.append(early_example(net, augmenter, item, plain=number == 0)[1])
            follow(len(rows))
    hues = np.stack([_hue(item) for item in loaded])
    return calibrate.fit_novelty(
        np.stack(rows), list(groups) * VIEWS, calibrate.fit_hue(hues, groups)
    )


def _hue(item: Loaded) -> Seen:
    pixels, inside = shown(np.asarray(item.image), item.circle)
    return hue(pixels, item.light, lamp(pixels, inside))


def recalibrate(bundle: Path, data: Path, out: Path, report: Report = print) -> bundles.Bundle:
    """Write a copy of a bundle with its novelty score fitted anew to the training fields of a data
    folder; counts and intervals stay as they are.

    Raises:
        BadBundle: the bundle cannot be used.
        BadData: the data folder cannot be used.
    """
    made = bundles.load(bundle)
    net = build(made)
    fields = read_fields(data, splits=["train"])
    report(f"{len(fields)} training fields")
    loaded = load_fields(fields, made.config, report=report)
    fitted = novelty(net, loaded, [field.group for field in fields], made.config, report)
    made = replace(made, calibration=replace(made.calibration, novelty=fitted))
    bundles.save(made, out)
    return made
