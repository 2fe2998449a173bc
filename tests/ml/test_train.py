"""Stage 2 on a folder of drawn fields: a whole bundle, repeatable, and again after a kill."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from ml import bundle
from ml.predict import Predictor
from tests.ml.conftest import Cli
from tests.ml.making import smear, start, write_csv, write_data
from tests.waiting import wait_until


def test_a_whole_bundle_comes_out(trained: Path) -> None:
    made = bundle.load(trained / "bundle")
    assert made.config.cell_types == ("RBC", "WBC", "PLT")
    assert set(made.calibration.spreads) == {"RBC", "WBC", "PLT"}
    assert made.replay is not None
    assert "```" in made.card or "python -m ml train" in made.card
    (told,) = Predictor(trained / "bundle", 1).predict([smear(1).image])
    assert set(told.counts) == {"RBC", "WBC", "PLT"}


def test_a_killed_training_goes_on_as_if_nothing_had_been(
    trained: Path, tmp_path: Path, cli: Cli
) -> None:
    data = trained.parent / "data"
    arguments = ("train", "--data", data, "--out", tmp_path, "--epochs", "2", "--fold-epochs", "1")
    # The fit that calibrates is done: the one that is killed is the second.
    shutil.copy(trained / "residuals.json", tmp_path)
    process = start(*arguments)
    wait_until((tmp_path / "all" / "progress.json").is_file, 60, "the first epoch's checkpoint")
    process.send_signal(signal.SIGKILL)
    told, _ = process.communicate()
    assert "Measure" not in told
    status, told, _ = cli(*arguments)
    assert (status, "epoch 1/2" in told, "epoch 2/2" in told) == (0, False, True), told
    whole, again = bundle.load(trained / "bundle"), bundle.load(tmp_path / "bundle")
    assert all(np.array_equal(again.weights[name], value) for name, value in whole.weights.items())
    assert again.calibration.spreads == whole.calibration.spreads


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: shutil.rmtree(folder), "boxes.csv cannot be opened"),
        (lambda folder: (folder / "fields.csv").unlink(), "fields.csv cannot be opened"),
        (lambda folder: (folder / "0.png").write_bytes(b"no picture"), "0.png"),
        (
            lambda folder: write_csv(folder / "fields.csv", [{"image": "0.png", "rbc": 1}]),
            "has no column named source or split or wbc or plt",
        ),
        (lambda folder: write_data(folder, [0, 1], split="test"), "no labeled fields"),
        (
            lambda folder: write_csv(
                folder / "boxes.csv",
                [
                    dict.fromkeys(("image", "label_set", "cell_type", *"xywh"), "one"),
                ],
            ),
            "a box of one is not four numbers",
        ),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(
    cli: Cli, tmp_path: Path, damage, words: str
) -> None:
    folder = write_data(tmp_path / "data", range(2))
    damage(folder)
    status, _, error = cli("train", "--data", folder, "--out", tmp_path / "out", "--epochs", 1)
    assert (status, words in error) == (2, True), error
    assert not (tmp_path / "out" / "bundle").exists()
