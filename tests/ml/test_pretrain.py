"""Stage 1: a backbone learns to tell cells apart from class folders of crops."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from ml.__main__ import main
from ml.config import InputConfig, NetConfig
from ml.crops import Crop, Mosaics, read_crops, sides
from ml.files import read_json
from ml.pretrain import Classifier, Settings, pretrain
from ml.progress import Cancelled
from tests.ml.conftest import Cli
from tests.ml.tiny import CLASSES, TINY_PX, write_crops

SCALE = InputConfig(cell_px=TINY_PX)


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_crops(tmp_path_factory.mktemp("crops") / "cells")


def options(crops: Path, out: Path, *more: str) -> list[str]:
    scale = ["--cell-px", str(TINY_PX), "--crop-cell-px", str(TINY_PX)]
    return ["pretrain", "--data", str(crops), "--out", str(out), *scale, *more]


def test_learns_and_says_how_well_it_tells_held_out_crops_apart(
    cli: Cli, crops: Path, tmp_path: Path
) -> None:
    status, told, _ = cli(*options(crops, tmp_path, "--epochs", "12", "--policy", "none"))
    assert status == 0
    assert "crops/s" in told
    assert "left" in told
    metrics = read_json(tmp_path / "backbone" / "backbone.json")["metrics"]
    assert metrics["classes"] == sorted(CLASSES)
    confusion = np.array(metrics["confusion"])
    assert metrics["n"] == confusion.sum() == 4
    assert metrics["accuracy"] == confusion.trace() / confusion.sum()
    low, high = metrics["accuracy_interval"]
    assert low <= metrics["accuracy"] <= high
    # Of the crops it learned from, the last epoch's line tells: chance would be a third.
    last = [line for line in told.splitlines() if line.startswith("epoch 12/12")][-1]
    assert float(last.split("right ")[1].split("%")[0]) > 45


def test_the_last_layer_computes_in_whole_precision_where_the_rest_takes_half() -> None:
    net = Classifier(NetConfig(), 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert net(torch.rand(1, 3, 64, 64), 1).dtype == torch.float32


def test_goes_on_where_it_was_ended_and_ends_the_same(crops: Path, tmp_path: Path) -> None:
    settings = Settings(epochs=2, crop_cell_px=TINY_PX, seed=5)

    def weights(folder: Path) -> bytes:
        return (folder / "backbone" / "backbone.safetensors").read_bytes()

    pretrain(crops, tmp_path / "whole", NetConfig(), SCALE, settings, lambda line: None)
    lines: list[str] = []

    def end_in_second_epoch() -> None:
        if (tmp_path / "ended" / "checkpoint").is_dir():
            raise Cancelled

    ended: tuple[Any, ...] = (crops, tmp_path / "ended", NetConfig(), SCALE, settings)
    with pytest.raises(Cancelled):
        pretrain(*ended, lines.append, end_in_second_epoch)
    assert not (tmp_path / "ended" / "backbone").exists()
    pretrain(*ended, lines.append)
    assert sum(line.startswith("epoch 1/2") for line in lines) == 1
    assert weights(tmp_path / "ended") == weights(tmp_path / "whole")
    other = Settings(epochs=2, crop_cell_px=TINY_PX, seed=6)
    pretrain(crops, tmp_path / "other", NetConfig(), SCALE, other, lambda line: None)
    assert weights(tmp_path / "other") != weights(tmp_path / "whole")


def names(crop: Path) -> Iterator[Path]:
    """Yield other names for a crop."""
    return (crop.with_name(f"other-{number}.png") for number in count())


def test_killed_while_it_put_its_state_away_it_still_has_it(
    cli: Cli, crops: Path, tmp_path: Path
) -> None:
    asked = options(crops, tmp_path, "--epochs", "1")
    assert "epoch 1/1" in cli(*asked)[1]
    made = (tmp_path / "backbone" / "backbone.safetensors").read_bytes()
    # As left by a kill between the two steps in which a new state takes the old one's place.
    (tmp_path / "checkpoint").rename(tmp_path / ".checkpoint.1.old")
    (tmp_path / ".checkpoint.1.part").mkdir()
    status, told, _ = cli(*asked)
    assert (status, "epoch 1/1" in told) == (0, False)
    assert (tmp_path / "backbone" / "backbone.safetensors").read_bytes() == made
    assert sorted(p.name for p in tmp_path.iterdir()) == ["backbone", "checkpoint"]
    status, _, refusal = cli(*asked, "--policy", "none")
    assert status == 2
    assert "holds a training with other settings (policy 'imagenet', not 'none')" in refusal
    # As many crops, one of them by another name.
    other = tmp_path.with_name(f"{tmp_path.name}-other")
    shutil.copytree(crops, other)
    crop = next(c.path for c in read_crops(other)[1] if not c.held_out)
    crop.rename(next(p for p in names(crop) if not Crop(p, 0).held_out))
    status, _, refusal = cli(*options(other, tmp_path, "--epochs", "1"))
    assert (status, "holds a training with other settings (crops)" in refusal) == (2, True)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--cell-px", "0", "must be 8 pixels or more, not 0"),
        ("--cell-px", "7.9", "must be 8 pixels or more, not 7.9"),
        ("--crop-cell-px", "nan", "must be a number above 0, not nan"),
        ("--seed", "-1", "must be a whole number of 0 or more, not -1"),
        ("--epochs", "0", "must be a whole number of 1 or more, not 0"),
    ],
)
def test_numbers_out_of_bounds_are_refused(
    crops: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    option: str,
    value: str,
    words: str,
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(options(crops, tmp_path, option, value))
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_a_cell_is_as_wide_for_the_net_as_in_fields() -> None:
    crop = Image.new("RGB", (192, 192), "white")
    ImageDraw.Draw(crop).ellipse((76, 76, 115, 115), fill=(120, 60, 120))
    for cell_px in (24.0, 48.0):
        config = InputConfig(cell_px=cell_px)
        view = Mosaics(config, "none", 40.0, np.random.default_rng(0)).plain(crop)
        dark = view[:, :, 1] > 0.5
        assert dark.any(axis=0).sum() == pytest.approx(cell_px, abs=2)
        assert np.abs(view[~dark]).max() < 0.5


@pytest.mark.parametrize("along", [1, 2, 3])
def test_a_mosaic_shows_each_crop_in_its_own_tile(along: int) -> None:
    config = InputConfig()
    mosaics = Mosaics(config, "none", 40.0, np.random.default_rng(along))
    empty = Image.new("RGB", (192, 192), "white")
    for place in range(along**2):
        crops = [empty] * along**2
        crops[place] = empty.copy()
        ImageDraw.Draw(crops[place]).ellipse((66, 66, 125, 125), fill=(90, 40, 110))
        canvas = mosaics.canvas(crops, along, 0.0)
        assert canvas.shape == (sides(config)[0], sides(config)[0], 3)
        side = canvas.shape[0] // along
        tiles = canvas[..., 1].reshape(along, side, along, side).mean(axis=(1, 3))
        assert int(tiles.argmax()) == place


@pytest.mark.parametrize("policy", ["imagenet", "cifar10", "svhn", "rand", "trivial"])
def test_policies_of_torchvision_change_crops(crops: Path, policy: str) -> None:
    image = Image.open(crops / "white" / "white-0.png")

    def drawn(name: str) -> list[np.ndarray[Any, Any]]:
        mosaics = Mosaics(SCALE, name, TINY_PX, np.random.default_rng(1))
        return [mosaics.canvas([image], 1, 0.0) for _ in range(4)]

    pairs = zip(drawn(policy), drawn("none"), strict=True)
    assert any(not np.allclose(one, other) for one, other in pairs)


def _nothing(folder: Path) -> None:
    shutil.rmtree(folder)


def _one_class(folder: Path) -> None:
    for name in list(CLASSES)[1:]:
        shutil.rmtree(folder / name)


def _few(folder: Path) -> None:
    for path in sorted((folder / "white").iterdir())[1:]:
        path.unlink()


def _broken(folder: Path) -> None:
    for path in (folder / "white").iterdir():
        path.write_bytes(path.read_bytes()[:200])


@pytest.mark.parametrize(
    ("harm", "more", "words"),
    [
        (_nothing, [], "There is no folder"),
        (_one_class, [], "two at least; it holds 1"),
        (_few, [], "The class white has too few pictures"),
        (_broken, [], "cannot be read to its end"),
        (None, ["--policy", "cutmix"], "There is no policy named cutmix"),
        (None, ["--backbone", "resnet17"], "There is no backbone named resnet17"),
        (None, ["--weights", "imagenet"], "There are no ImageNet weights for hemanet"),
        (None, ["--norm", "frozen"], "Frozen norms keep what the backbone came with"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    cli: Cli, crops: Path, tmp_path: Path, harm: Any, more: list[str], words: str
) -> None:
    folder = tmp_path / "cells"
    shutil.copytree(crops, folder)
    assert len(read_crops(folder)[0]) == len(CLASSES)
    if harm:
        harm(folder)
    status, _, refusal = cli(*options(folder, tmp_path / "out", "--epochs", "1", *more))
    assert status == 2
    assert words in refusal
    assert not (tmp_path / "out" / "backbone").exists()
