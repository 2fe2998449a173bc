"""The shipped bundle on real smears that it was not trained on."""

from __future__ import annotations

import json

import pytest

from tests.ml.conftest import Cli
from tests.ml.making import real_data

DATA = real_data()


@pytest.mark.skipif(
    not (DATA / "fields.csv").is_file(),
    reason="real smears are not on this computer: set HEMATALLY_DATA to the folder of fields.csv",
)
def test_the_shipped_bundle_counts_real_smears(cli: Cli) -> None:
    """As closely as a person who counts them again: 1.06 red cells, 0.04 white cells and 0.17
    platelets a field (same pictures).
    """
    status, out, error = cli(
        *("evaluate", "--images", DATA, "--counts", DATA / "fields.csv"),
        *("--split", "test", "--source", "bccd", "--json", "--threads", 1),
    )
    assert status == 0, error
    scores = json.loads(out)
    assert scores["n"] == 60
    assert scores["types"]["RBC"]["mae"] <= 1.0
    assert abs(scores["types"]["RBC"]["bias"]) <= 0.4
    assert scores["types"]["WBC"]["mae"] <= 0.04
    assert scores["types"]["PLT"]["mae"] <= 0.15
    assert scores["novel"] <= 0.05
