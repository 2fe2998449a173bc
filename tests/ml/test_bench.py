"""`python -m ml bench`: every measure is there, adds up, and bad input is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ml import bench
from ml.synthetic import render_slide
from tests.ml.conftest import Cli
from tests.ml.making import run


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What a short run tells."""
    done = run("bench", "--json", "--fields", "2", "--seconds", "0", "--threads", "1")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_every_measure_is_there_and_adds_up(told: dict[str, Any]) -> None:
    assert told["fields"] == 2
    assert told["processor"]
    row = told["threads"]["1"]
    model, whole = row["model"], row["jpeg_to_counts"]
    for rates in (model, whole):
        assert 0 < rates["single"] <= rates["best"]["rate"]
    share = model["best"]["rate"] * told["flops_per_field"] / (row["peak_gflops"] * 1e9)
    assert row["share_of_peak"] == pytest.approx(share)
    assert row["p95_ms"] >= 900 / whole["single"]
    start = told["start"]
    assert min(start["import_s"], start["load_s"], start["first_field_s"]) > 0
    assert 100 < start["peak_mib"] <= 500


def test_people_read_a_table(told: dict[str, Any]) -> None:
    lines = bench.table(told).splitlines()
    assert lines[1].endswith("GFLOP a field")
    assert lines[3].startswith("threads")
    assert lines[4].startswith("1        net             ")
    assert len(lines) == 6


def test_a_field_of_half_the_pixels_a_side_is_as_much_work(
    told: dict[str, Any], cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The net sees cells at one size, however many pixels the camera gave them."""
    (field,) = render_slide(0, 1, cell_px=104)
    # A camera's name, and more fields than asked for.
    for name in ("field.JPG", "more.JPG"):
        field.image.resize((320, 240)).save(tmp_path / name, "JPEG", quality=95)
    # Named from where the caller stands, which is not where the fresh process runs.
    monkeypatch.chdir(tmp_path)
    asked = ("bench", "--json", "--images", ".", "--fields", 1, "--seconds", 0, "--threads", 1)
    status, out, error = cli(*asked)
    assert status == 0, error
    again = json.loads(out)
    assert again["fields"] == 1
    assert again["flops_per_field"] == pytest.approx(told["flops_per_field"], rel=0.1)


def test_bad_input_is_refused_with_a_sentence(cli: Cli, tmp_path: Path) -> None:
    for arguments, words in [
        (("--images", tmp_path), "holds no JPEG file to count in."),
        (("--fields", 1, "--bundle", tmp_path), "is not complete"),
        (("--seconds", -1), "--seconds must be 0 or more."),
    ]:
        status, out, error = cli("bench", *arguments)
        assert (status, out, words in error) == (2, "", True), error
