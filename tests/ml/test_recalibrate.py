"""A bundle that knows the hue of its fields calls gray ones novel; older bundles learn it."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.strangers import CHANGES
from ml import calibrate, pictures
from ml.predict import Predictor
from tests.ml.conftest import Cli
from tests.ml.making import MICRONS, smear


def novelties(bundle: Path, data: Path) -> tuple[list[float], list[float]]:
    """Return the novelty of known smears, and of the same in gray and dyed as a tissue is."""
    predictor = Predictor(bundle, 1)
    smears = [pictures.read(data / f"{seed}.png").image for seed in range(4)]
    dyes = (CHANGES["gray"], CHANGES["hematoxylin and eosin"])
    strange = [dye(image, 50.0) for dye in dyes for image in smears]
    told = predictor.predict([*smears, *strange], [MICRONS] * 12)
    return [one.novelty for one in told[:4]], [one.novelty for one in told[4:]]


def test_an_older_bundle_learns_what_red_cells_look_like(
    cli: Cli, trained: Path, older: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new"
    data = trained.parent / "data"
    status, told, _ = cli("recalibrate", "--bundle", older, "--data", data, "--out", out)
    assert (status, told.splitlines()[-1]) == (0, f"Wrote {out}")
    assert "Open  11/11  " in told
    assert "What is like these fields  33/33  " in told
    before, after = novelties(older, data), novelties(out, data)
    hue = json.loads((out / "calibration.json").read_text())["novelty"]["hue"]
    assert hue["least"][0] < hue["usual"][0] < hue["most"] < 1.0
    # As it is made by a training.
    assert after == novelties(trained / "bundle", data)
    assert min(after[1]) > max(*after[0], calibrate.NOVELTY_THRESHOLD)
    assert sum(after[1]) > sum(before[1])
    images = [smear(9).image]
    first, second = (Predictor(path, 1).predict(images)[0] for path in (older, out))
    assert first.counts == second.counts


def test_what_cannot_be_recalibrated_is_refused(cli: Cli, small: Path, tmp_path: Path) -> None:
    for bundle, data in ((tmp_path / "none", tmp_path), (small, tmp_path)):
        out = tmp_path / "out"
        status, _, error = cli("recalibrate", "--bundle", bundle, "--data", data, "--out", out)
        assert (status, len(error.splitlines())) == (2, 1)
        assert not out.exists()
