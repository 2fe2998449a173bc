"""The shipped counter and a small one trained here, each made once."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ml.__main__ import main
from ml.bundle import BASE
from ml.predict import Predictor
from tests.ml.making import write_data

Cli = Callable[..., tuple[int, str, str]]
# An epoch takes a tenth of a second: enough of them for a test to end a training between two.
EPOCHS = 16
FEW = ("--epochs", str(EPOCHS - 1), "--harden", "1", "--fold-epochs", "1")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def base() -> Predictor:
    """The shipped bundle, loaded."""
    return Predictor(BASE, 1)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """Run a command as `python -m ml` would: exit status, standard output, standard error."""
    handler = signal.getsignal(signal.SIGTERM)

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    yield call
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `python -m ml train` wrote: a few epochs on a few drawn fields."""
    folder = tmp_path_factory.mktemp("trained")
    data = write_data(folder / "data", range(11))
    out = folder / "out"
    assert main(["train", "--data", str(data), "--out", str(out), *FEW]) == 0
    return out


@pytest.fixture(scope="session")
def small(trained: Path) -> Path:
    """The bundle of `trained`: it counts badly, and learns fast."""
    return trained / "bundle"


@pytest.fixture
def older(small: Path, tmp_path: Path) -> Path:
    """The small bundle as it was before hues and deviations were kept and intervals went by the
    map.
    """
    folder = shutil.copytree(small, tmp_path / "older")
    file = folder / "calibration.json"
    calibration = json.loads(file.read_text())
    del calibration["novelty"]["hue"]
    for spread in calibration["intervals"].values():
        del spread["deviation"]
    calibration["unit"] = "sqrt(raw + 1)"
    file.write_text(json.dumps(calibration))
    return folder
