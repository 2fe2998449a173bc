"""Stage 2 on a folder of drawn fields: a whole bundle, repeatable, and again after a kill."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ml import bundle, stage1
from ml.augment import load
from ml.config import BundleConfig, InputConfig, NetConfig
from ml.data import BadData, Field, read_fields, read_table
from ml.nets import make_backbone
from ml.predict import Predictor
from ml.progress import CANCELLED, Cancelled
from ml.train import Settings, drawn, load_fields, train
from tests.ml.conftest import EPOCHS, FEW, Cli
from tests.ml.making import smear, start, write_csv, write_data
from tests.ml.tiny import TINY_PX, write_fields
from tests.waiting import wait_until


def test_a_whole_bundle_comes_out(trained: Path) -> None:
    made = bundle.load(trained / "bundle")
    assert made.config.cell_types == ("RBC", "WBC", "PLT")
    assert set(made.calibration.spreads) == {"RBC", "WBC", "PLT"}
    assert made.replay is not None
    assert "```" in made.card or "python -m ml train" in made.card
    (told,) = Predictor(trained / "bundle", 1).predict([smear(1).image])
    assert set(told.counts) == {"RBC", "WBC", "PLT"}


@pytest.mark.parametrize(("by", "status"), [(signal.SIGKILL, -9), (signal.SIGTERM, CANCELLED)])
def test_a_killed_training_goes_on_as_if_nothing_had_been(
    trained: Path, tmp_path: Path, cli: Cli, by: signal.Signals, status: int
) -> None:
    data = trained.parent / "data"
    arguments = ("train", "--data", data, "--out", tmp_path, *FEW)
    # The fit that calibrates is done: the one that is killed is the second.
    shutil.copytree(trained / "fold0", tmp_path / "fold0")
    process = start(*arguments)
    first = tmp_path / "all-seed0" / "progress.json"
    wait_until(first.is_file, 60, "the first epoch's checkpoint")
    process.send_signal(by)
    told, _ = process.communicate()
    assert ("Measure" in told, process.returncode) == (False, status)
    # With other settings what is done would be lost, or worse, taken for theirs.
    status, told, refusal = cli(*arguments, "--seed", 1)
    assert (status, "holds a training with other settings (seed 0, not 1)" in refusal) == (2, True)
    status, told, _ = cli(*arguments)
    _, fit = told.split("Fit on all")
    assert (status, "epoch 1/" in fit, f"epoch {EPOCHS}/{EPOCHS}" in fit) == (0, False, True), told
    whole, again = bundle.load(trained / "bundle"), bundle.load(tmp_path / "bundle")
    assert all(np.array_equal(again.weights[name], value) for name, value in whole.weights.items())
    assert again.calibration.spreads == whole.calibration.spreads


def test_a_training_goes_on_by_what_it_learns_from_not_by_where_that_lies(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = write_fields(tmp_path / "data"), tmp_path / "out"
    net = NetConfig()
    stage1.save(tmp_path / "begun", make_backbone(net), net, InputConfig(), {})
    lines: list[str] = []

    def call(begun: Path) -> None:
        config = BundleConfig(input=InputConfig(cell_px=TINY_PX))
        loaded = load_fields(read_fields(data, splits=["train"]), config)
        train(loaded, config, Settings(epochs=1, start=str(begun)), out, lines.append)

    monkeypatch.chdir(tmp_path)
    call(Path("begun"))
    call(tmp_path / "begun")
    assert sum(line.startswith("epoch 1/1") for line in lines) == 1
    torch.manual_seed(1)
    stage1.save(tmp_path / "begun", make_backbone(net), net, InputConfig(), {})
    with pytest.raises(BadData, match=r"a training with other settings \(start\)"):
        call(tmp_path / "begun")
    shutil.rmtree(out)
    call(tmp_path / "begun")
    rows = read_table(data / "fields.csv", ("wbc",))
    write_csv(data / "fields.csv", [row | {"wbc": int(row["wbc"]) + 1} for row in rows])
    with pytest.raises(BadData, match=r"a training with other settings \(fields\)"):
        call(tmp_path / "begun")


def test_a_backbone_that_leaves_parts_out_by_chance_goes_on_as_if_never_ended(
    tmp_path: Path,
) -> None:
    config = BundleConfig(net=NetConfig(name="efficientnet_b0"), input=InputConfig(cell_px=TINY_PX))
    fields = read_fields(write_fields(tmp_path / "data"), splits=["train"])
    loaded, settings = load_fields(fields[:2], config), Settings(epochs=2, batch=2)

    def end_in_second_epoch() -> None:
        if (tmp_path / "ended").is_dir():
            raise Cancelled

    def call(name: str, check: Callable[[], None]) -> dict[str, torch.Tensor]:
        net = train(loaded, config, settings, tmp_path / name, lambda line: None, check=check)
        return net.state_dict()

    whole = call("whole", lambda: None)
    with pytest.raises(Cancelled):
        call("ended", end_in_second_epoch)
    again = call("ended", lambda: None)
    assert all(torch.equal(again[name], value) for name, value in whole.items())


def test_a_folder_that_cannot_be_written_is_refused_before_it_begins(
    cli: Cli, tmp_path: Path
) -> None:
    data = write_data(tmp_path / "data", range(2))
    taken = tmp_path / "taken"
    taken.write_text("a file")
    status, told, refusal = cli("train", "--data", data, "--out", taken)
    assert (status, told, f"Cannot use {taken}" in refusal) == (2, "", True)


@pytest.mark.parametrize("more", [("--head", "fc"), ("--norm", "frozen")])
def test_options_that_do_not_go_together_are_refused_before_pictures_are_opened(
    cli: Cli, tmp_path: Path, more: tuple[str, str]
) -> None:
    data = write_fields(tmp_path / "data")
    status, told, refusal = cli("train", "--data", data, "--out", tmp_path / "out", *more)
    assert (status, told) == (2, ""), refusal


def test_weights_that_run_away_end_the_training(cli: Cli, tmp_path: Path) -> None:
    """Norms frozen at what was never trained, and ever larger weights: no number is left."""
    data = write_fields(tmp_path / "data")
    net = NetConfig()
    backbone = make_backbone(net)
    for value in backbone.parameters():
        torch.nn.init.constant_(value, 1e18)
    stage1.save(tmp_path / "wild", backbone, net, InputConfig(), {})
    small = ("--epochs", 1, "--cell-px", TINY_PX, "--norm", "frozen", "--start", tmp_path / "wild")
    status, _, refusal = cli("train", "--data", data, "--out", tmp_path / "out", *small)
    assert (status, "no number any more in epoch 1" in refusal) == (2, True), refusal
    assert not (tmp_path / "out" / "bundle").exists()


def write_box(folder: Path, value: str) -> None:
    """Put a box with this left, top, width and height into boxes.csv."""
    row = {"image": "0.png", "label_set": "txl", "cell_type": "RBC"}
    write_csv(folder / "boxes.csv", [row | dict.fromkeys("xywh", value)])


def leave_out(folder: Path, column: str) -> None:
    """Leave a column of fields.csv empty."""
    rows = read_table(folder / "fields.csv", (column,))
    write_csv(folder / "fields.csv", [row | {column: ""} for row in rows])


def test_more_seeds_tell_what_chance_does(tmp_path: Path, cli: Cli) -> None:
    data = write_fields(tmp_path / "data")
    small = ("--epochs", 1, "--cell-px", TINY_PX, "--seeds", 2)
    status, told, refusal = cli("train", "--data", data, "--out", tmp_path / "out", *small)
    assert status == 0, refusal
    assert told.count("Fit on all, seed") == 2
    made = bundle.load(tmp_path / "out" / "bundle")
    for name in ("test", "external"):
        own = made.metrics[name]["types"]["RBC"]
        seeds = made.metrics[name]["seeds"]["RBC"]
        assert len(seeds["mae"]) == len(seeds["bias"]) == 2
        # The first is the bundle's own.
        assert (own["mae"], own["bias"]) == (seeds["mae"][0], seeds["bias"][0])
    assert "--seeds 2" in made.card


def test_more_fifths_held_out_in_turn_leave_more_counts_to_calibrate_with(
    tmp_path: Path, cli: Cli
) -> None:
    data = write_data(tmp_path / "data", range(16))
    found = {}
    for folds in (1, 5):
        out = tmp_path / str(folds)
        given = ("--data", data, "--out", out, "--folds", folds, "--epochs", 1)
        status, told, refusal = cli("train", *given, "--cell-px", TINY_PX)
        assert (status, told.count("Fit on four fifths")) == (0, folds), refusal
        found[folds] = bundle.load(out / "bundle")
    held = {folds: made.calibration.spreads["RBC"].n for folds, made in found.items()}
    assert 0 < held[1] < held[5] == 16
    assert "--folds 5" in found[5].card
    # What is shipped is made by one training on all of them, whatever calibrates it.
    one, five = (made.weights for made in found.values())
    assert all(np.array_equal(five[name], value) for name, value in one.items())


def test_groups_are_drawn_alike_and_fields_without_red_cells_seldom() -> None:
    made = smear(1)
    field = Field("drawn", None, made.counts)  # type: ignore[arg-type]
    item = load(field, made.image, 48.0, ("RBC", "WBC", "PLT"), InputConfig())
    partly = np.array([False, True, True])
    kinds = [replace(item, group="small")] * 10 + [replace(item, group="large")] * 60
    kinds += [replace(item, group="large", known=partly)] * 30
    chosen = [kinds[i] for i in drawn(kinds, np.random.default_rng(0))]
    assert len(chosen) == 100
    small = sum(k.group == "small" for k in chosen)
    part = sum(not k.known.all() for k in chosen)
    assert 42 <= small <= 47
    assert 9 <= part <= 13


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
        (lambda folder: write_box(folder, "ten"), "a box of 0.png is not four numbers"),
        (lambda folder: write_box(folder, "nan"), "a box of 0.png is not four numbers"),
        (lambda folder: write_box(folder, "-4"), "with a width and a height of 0 or more"),
        (
            lambda folder: write_box(folder, "400"),
            "(600, 600), outside the picture of 320 x 240",
        ),
        (lambda folder: leave_out(folder, "rbc"), "none of these has a count of RBC"),
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
