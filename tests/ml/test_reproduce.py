"""The ablation by one command: pieces that survive a kill, tables and words from them."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import numpy as np
import pytest

from ml import plots, report
from ml.ablation import SHIPPED, Place, pieces, run_piece
from ml.files import read_json
from ml.progress import Cancelled
from ml.results import Row, Truth, compare, scored
from tests.ml.conftest import Cli
from tests.ml.making import start
from tests.ml.tiny import write_crops, write_fields
from tests.stack import ROOT

MARKS = "hemanet-scratch-map-marks"
STAGE1 = "hemanet-stage1-map-marks"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_fields(tmp_path_factory.mktemp("data") / "all")
    write_crops(folder / "cells")
    return folder


def call(cli: Cli, data: Path, out: Path, *only: str) -> tuple[int, str, str]:
    named = [word for name in only for word in ("--only", name)]
    return cli("reproduce", "--data", data, "--out", out, "--quick", "--jobs", "1", *named)


def fixed(text: str) -> set[str]:
    """Return a report's headings and heads of tables, without backbones and numbers."""
    lines = re.findall(r"^#.*|^\|.*(?=\n\|---)", text, re.MULTILINE)
    return {re.sub(r"hemanet|resnet18|\d[\d.]*", "#", line) for line in lines}


def test_tells_the_time_makes_the_pieces_and_writes_what_they_say(
    cli: Cli, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, told, refusal = call(cli, data, tmp_path, MARKS, STAGE1)
    assert status == 0, refusal
    assert "3 pieces, 3 to make" in told
    assert told.index("This will take about") < told.index("Piece 1 of")
    text = (tmp_path / "results.md").read_text()
    for words in (
        "BCCD test fields, re-annotated",
        "judged by BCCD's own labels",
        "Another lab's fields",
        "| hemanet | map, counts and marks | from scratch | 1 |",
        "| hemanet | map, counts and marks | stage 1 | 1 |",
        "these fields' own median",
        "What learning single cells first changes",
        "red cells a field",
        "held-out ones right, of 3 classes",
        "ImageNet weights are not asked for with --quick: no rows of theirs.",
        f"reproduce --data DATA --out OUT --only {MARKS} --only {STAGE1} --quick`",
        # One epoch on ten fields.
        "hemanet counts red cells no better than one number for all fields would",
        report.INTERVALS,
    ):
        assert words in text
    # The project's own results say the same, but for the numbers.
    for name in ("results.md", "results-resnet18.md"):
        committed = (ROOT / "docs" / name).read_text()
        assert fixed(text) <= fixed(committed)
        for words in (report.HOW_TO_READ, report.THE_FIFTY, report.NOISE):
            assert words in committed
        for picture in re.findall(r"\]\((.*\.svg)\)", committed):
            assert picture.startswith(report.PICTURES)
            assert (ROOT / "docs" / picture).is_file()
    if plots.able():
        drawn = tmp_path / report.PICTURES / "learning-hemanet.svg"
        assert drawn.read_text().startswith("<?xml")
    else:
        assert "Plots were left out: install matplotlib" in text

    # What was made tiny is not taken for the table. (Nothing listens on the discard port.)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    asked = ["reproduce", "--data", data, "--out", tmp_path, "--only", MARKS]
    status, _, refusal = cli(*asked)
    assert (status, f"{MARKS}-seed0 made at another size" in refusal) == (2, True)

    # Called again it makes nothing; what was lost it makes again, and it comes out the same.
    assert "0 to make" in call(cli, data, tmp_path, MARKS, STAGE1)[1]
    assert (tmp_path / "results.md").read_text() == text
    result = tmp_path / "runs" / f"{MARKS}-seed0" / "result.json"
    before = read_json(result)
    result.unlink()
    assert "1 to make" in call(cli, data, tmp_path, MARKS, STAGE1)[1]
    assert read_json(result) == before
    assert [len(before["sets"][name]["told"]) for name in ("test", "external")] == [3, 2]


def test_ended_by_a_signal_it_leaves_no_process_and_goes_on_side_by_side(
    cli: Cli, data: Path, tmp_path: Path
) -> None:
    asked = ["reproduce", "--data", data, "--out", tmp_path, "--quick", "--jobs", "2"]
    asked += ["--only", "hemanet-scratch-map-counts", "--only", "hemanet-scratch-fc"]
    running = start(*asked)
    assert running.stdout
    for line in running.stdout:
        if line.startswith("Piece 2"):
            break
    running.send_signal(signal.SIGTERM)
    # The children write to the same pipe: this would not return while one lived.
    told, _ = running.communicate(timeout=60)
    assert running.returncode == 3
    assert "it goes on from here" in told
    status, _, refusal = cli(*asked)
    assert status == 0, refusal
    text = (tmp_path / "results.md").read_text()
    assert "| hemanet | map, counts only | from scratch | 1 |" in text
    assert "| hemanet | fully connected, counts | from scratch | 1 |" in text


def test_ended_right_after_an_epoch_its_point_of_the_curve_is_kept(
    data: Path, tmp_path: Path
) -> None:
    place = Place(data, tmp_path, quick=True)
    (piece,) = (p for p in pieces(quick=True, imagenet=False) if p.name == f"{MARKS}-seed0")
    folder = place.result(piece).parent

    def end_after_the_epoch() -> None:
        if (folder / "checkpoint").is_dir():
            raise Cancelled

    with pytest.raises(Cancelled):
        run_piece(place, piece, lambda line: None, end_after_the_epoch)
    assert not place.result(piece).exists()
    run_piece(place, piece, lambda line: None, lambda: None)
    assert read_json(place.result(piece))["curve"]["epochs"] == [1]


def test_the_table_holds_what_was_promised() -> None:
    rows: dict[tuple[str, ...], int] = {}
    for piece in pieces(quick=False, imagenet=True):
        key = (piece.backbone, piece.start, piece.head, piece.supervision)
        rows[key] = rows.get(key, 0) + 1
    starts = {"hemanet": {"scratch", "stage1"}, "resnet18": {"scratch", "stage1", "imagenet"}}
    assert {(backbone, start) for backbone, start, *_ in rows} == {
        (backbone, start) for backbone, begins in starts.items() for start in begins
    }
    for (backbone, _, head, supervision), seeds in rows.items():
        assert seeds == (5 if (backbone, head, supervision) == SHIPPED else 3)
    assert len(rows) == 5 * 3
    assert not any(p.start == "imagenet" for p in pieces(quick=False, imagenet=False))


def test_scores_are_means_over_seeds_with_intervals_over_fields_and_seeds() -> None:
    true = np.array([10.0, 20.0, np.nan, 30.0])
    told = np.array([[11.0, 10.0], [22.0, 20.0], [5.0, 5.0], [30.0, 27.0]])
    scores = scored(true, told)
    assert scores["mae"][0] == pytest.approx(((1 + 2 + 0) / 3 + (0 + 0 + 3) / 3) / 2)
    assert scores["bias"][0] == pytest.approx((3 / 3 + -3 / 3) / 2)
    assert scores["aggregate_accuracy"][0] == pytest.approx(1 - 3 / 60)
    assert scores["weighted_ape"][0] == pytest.approx(3 / 60)
    low, high = scores["mae"][1]
    assert 0.0 <= low < 0.5 < 1.5 < high <= 3.0


def test_a_change_within_the_spread_of_seeds_is_not_called_more_than_chance() -> None:
    true = np.full(40, 20.0)

    def row(start: str, *off: float) -> Row:
        told = {"test": {"RBC": true[:, None] + np.array(off)}}
        return Row("hemanet", start, "map", "marks", told, [{}] * len(off), {})

    def gain(before: Row, after: Row) -> tuple[float, tuple[float, float]]:
        change = compare("test", "RBC", [(before, after)], Truth({"test": {"RBC": true}}, {}))
        assert change is not None
        return change.gain

    # All fields agree, so that fields alone would call half a cell sure.
    value, (low, high) = gain(row("scratch", 1, 2, 3), row("stage1", 0.5, 1.5, 2.5))
    assert value == pytest.approx(0.5)
    assert low < 0 < 1.0 < high
    value, (low, high) = gain(row("scratch", 3, 3, 3), row("stage1", 2, 2, 2))
    assert value == low == high == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("only", "words"),
    [("resnet99", "No piece is called resnet99. Names look like"), ("", "no fields of split test")],
)
def test_what_cannot_be_made_is_refused(
    cli: Cli, data: Path, tmp_path: Path, only: str, words: str
) -> None:
    folder = data if only else write_fields(tmp_path / "none", test=0, external=0)
    status, _, refusal = call(cli, folder, tmp_path / "out", only or MARKS)
    assert status == 2
    assert words in refusal
