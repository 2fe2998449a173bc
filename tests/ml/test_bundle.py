"""Bundles: written whole, read back the same, and damaged ones refused in sentences."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ml import bundle
from ml.bundle import BadBundle
from ml.predict import Predictor
from tests.ml.conftest import Cli
from tests.ml.making import smear


@pytest.fixture
def folder(small: Path, tmp_path: Path) -> Path:
    """A bundle to damage."""
    return Path(shutil.copytree(small, tmp_path / "bundle"))


def test_what_is_saved_is_loaded_again(small: Path, tmp_path: Path) -> None:
    first = bundle.load(small)
    bundle.save(first, tmp_path / "copy")
    second = bundle.load(tmp_path / "copy")
    assert second.config == first.config
    assert second.card == first.card
    assert second.metrics == first.metrics
    assert second.calibration.spreads == first.calibration.spreads
    assert set(second.weights) == set(first.weights)
    assert all(np.array_equal(second.weights[k], v) for k, v in first.weights.items())
    assert second.replay is not None
    assert first.replay is not None
    assert second.replay.read_bytes() == first.replay.read_bytes()
    assert bundle.digest(tmp_path / "copy") == bundle.digest(small)


def test_saving_replaces_a_bundle_and_leaves_nothing_beside_it(folder: Path) -> None:
    first = bundle.load(folder)
    (folder / "stray.txt").write_text("left by somebody")
    bundle.save(first, folder)
    assert not (folder / "stray.txt").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]


def test_the_digest_hears_every_byte_and_name(folder: Path) -> None:
    seen = {bundle.digest(folder)}
    card = folder / "card.md"
    card.write_text(card.read_text() + ".")
    seen.add(bundle.digest(folder))
    card.rename(folder / "CARD.md")
    seen.add(bundle.digest(folder))
    assert len(seen) == 3
    with pytest.raises(BadBundle, match="There is no model bundle"):
        bundle.digest(folder / "nowhere")


def edit(name: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Return a damage: change the JSON in a file."""

    def damage(folder: Path) -> None:
        data = json.loads((folder / name).read_text())
        change(data)
        (folder / name).write_text(json.dumps(data))

    return damage


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def cut(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:300])


def drop_weight(folder: Path) -> None:
    weights = load_file(folder / "weights.safetensors")
    weights.pop(next(iter(weights)))
    save_file(weights, folder / "weights.safetensors")


def poison_weight(folder: Path) -> None:
    weights = load_file(folder / "weights.safetensors")
    name = next(iter(weights))
    weights[name] = np.full_like(weights[name], np.nan)
    save_file(weights, folder / "weights.safetensors")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "folder gone": (shutil.rmtree, "There is no model bundle at"),
    "no config": (remove("config.json"), "is not complete"),
    "no weights": (remove("weights.safetensors"), "is not complete"),
    "no calibration": (remove("calibration.json"), "is not complete"),
    "no card": (remove("card.md"), "is not complete"),
    "config cut": (lambda f: (f / "config.json").write_text("{"), "is not JSON"),
    "config no object": (lambda f: (f / "config.json").write_text("[]"), "a JSON object"),
    "config in latin-1": (lambda f: (f / "config.json").write_bytes(b'{"a": "\xe4"}'), "not JSON"),
    "other format": (edit("config.json", lambda d: d.update(format=9)), "has format 9, not 1"),
    "key missing": (edit("config.json", lambda d: d.pop("input")), "is not complete"),
    "unknown net": (edit("config.json", lambda d: d["net"].update(name="none")), "do not fit"),
    "unknown head": (edit("config.json", lambda d: d["net"].update(head="none")), "do not fit"),
    "other widths": (
        edit("config.json", lambda d: d["net"].update(widths=[8, 8, 8, 8])),
        "do not fit its config.json",
    ),
    "a type too many": (
        edit("config.json", lambda d: d["cell_types"].append("BLAST")),
        "has no intervals for BLAST",
    ),
    "interval not a number": (
        edit("calibration.json", lambda d: d["intervals"]["RBC"].update(below="wide")),
        "calibration.json is not complete",
    ),
    "deviation not a number": (
        edit("calibration.json", lambda d: d["intervals"]["RBC"].update(deviation="wide")),
        "calibration.json is not complete",
    ),
    "intervals no object": (
        edit("calibration.json", lambda d: d.update(intervals=[1])),
        "calibration.json is not complete",
    ),
    "unknown unit": (
        edit("calibration.json", lambda d: d.update(unit="cells")),
        "calibration.json is not complete",
    ),
    "novelty of another net": (
        edit("calibration.json", lambda d: d["novelty"].update(centers=[[0.0, 1.0]])),
        "does not fit its net",
    ),
    "weights cut": (cut("weights.safetensors"), "are damaged"),
    "weights empty": (lambda f: (f / "weights.safetensors").write_bytes(b""), "are damaged"),
    "a weight missing": (drop_weight, "do not fit its config.json"),
    "a weight not a number": (poison_weight, "are damaged"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_bundle_is_refused_with_a_sentence(folder: Path, cli: Cli, case: str) -> None:
    picture = folder.parent / "field.png"
    smear(1).image.save(picture)
    assert cli("predict", picture, "--bundle", folder)[0] == 0
    damage, words = DAMAGES[case]
    damage(folder)
    status, out, error = cli("predict", picture, "--bundle", folder)
    assert (status, out) == (2, "")
    assert words in error
    assert error.strip().endswith(".")
    assert len(error.splitlines()) == 1


def test_a_missing_replay_only_costs_memory_of_other_slides(folder: Path) -> None:
    (folder / "replay.safetensors").unlink()
    assert bundle.load(folder).replay is None
    Predictor(folder, 1)
