"""`python -m ml evaluate`: a table of counts in, errors with intervals out."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from ml.data import read_table
from tests.ml.conftest import Cli
from tests.ml.making import MICRONS, run, smear, write_csv


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six fields in a folder of their own and counts.csv beside it."""
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "fields").mkdir()
    rows = []
    for seed in range(6):
        made = smear(seed, red_cells=5 + 2 * seed)
        made.image.save(folder / "fields" / f"{seed}.png")
        counts = {code.lower(): str(count) for code, count in made.counts.items()}
        rows.append({"image": f"fields/{seed}.png", "split": "ab"[seed % 2], **counts})
    rows[0]["wbc"] = rows[0]["plt"] = ""
    write_csv(folder / "counts.csv", rows)
    return folder


def test_every_type_is_scored_with_bootstrap_intervals(folder: Path, cli: Cli) -> None:
    status, out, aside = cli(
        "evaluate", "--images", folder, "--counts", folder / "counts.csv", "--json"
    )
    scores = json.loads(out)
    assert status == 0
    assert aside.startswith("Counted  6/6  ")
    assert scores["n"] == 6
    assert 0.0 <= scores["novel"] <= 1.0
    red, white = scores["types"]["RBC"], scores["types"]["WBC"]
    # An empty cell was not counted: it is not scored.
    assert (red["n"], white["n"], scores["types"]["PLT"]["n"]) == (6, 5, 5)
    assert red["mean"] == 10.0
    assert red["constant_mae"] == 3.0
    for name in ("mae", "rmse", "bias", "lower_limit", "upper_limit", "r2", "weighted_ape"):
        low, high = red[f"{name}_interval"]
        assert low <= red[name] <= high
    assert 0.0 <= red["covered"] <= 1.0


def test_people_read_a_table(folder: Path) -> None:
    done = run("evaluate", "--images", folder / "fields", "--counts", folder / "counts.csv")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[0].split()[:4] == ["cells", "fields", "mean", "MAE"]
    assert lines[1].split()[:3] == ["RBC", "6", "10.00"]
    assert lines[4] == "Counter minus people (Bland and Altman):"
    assert lines[5].split()[:2] == ["cells", "bias"]
    bias, low, high, lower, upper = map(float, lines[6].replace(" to ", " ").split()[1:])
    assert lower <= low <= bias <= high <= upper
    assert lines[9].startswith("True counts inside the 90 % intervals: RBC ")
    assert lines[10].startswith("Unlike the training data: ")


def test_each_field_is_a_row_for_whoever_plots_it(folder: Path, cli: Cli, tmp_path: Path) -> None:
    counts = read_table(folder / "counts.csv", ("image",))
    # Counted wrong on purpose, the last by 5.
    rows = [row | {"rbc": int(row["rbc"]) + number} for number, row in enumerate(counts)]
    table, out = write_csv(tmp_path / "counts.csv", rows), tmp_path / "fields.csv"
    given = ("evaluate", "--images", folder, "--counts", table, "--json", "--fields")
    status, told, refusal = cli(*given, out)
    assert status == 0, refusal
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image", "type", "counted", "predicted", "low", "high"] + [
        *("unlike", "faults")
    ]
    # The first has its red cells counted only.
    assert [row["type"] for row in rows if row["image"] == "fields/0.png"] == ["RBC"]
    red = [row for row in rows if row["type"] == "RBC"]
    scores = json.loads(told)
    off = [int(row["predicted"]) - int(row["counted"]) for row in red]
    inside = [int(row["low"]) <= int(row["counted"]) <= int(row["high"]) for row in red]
    assert max(off) > min(off)
    assert sum(off) / 6 == pytest.approx(scores["types"]["RBC"]["bias"], abs=1e-6)
    assert sum(inside) / 6 == scores["types"]["RBC"]["covered"]
    assert sum(int(row["unlike"]) for row in red) / 6 == scores["novel"]
    status, told, refusal = cli(*given, tmp_path)
    assert (status, told, refusal) == (2, "", f"Cannot use {tmp_path}: Is a directory.\n")
    # What people counted is never written over.
    kept = table.read_bytes()
    status, told, refusal = cli(*given, table)
    assert (status, told, "Name another file" in refusal) == (2, "", True), refusal
    assert table.read_bytes() == kept


def test_only_the_rows_asked_for_count(folder: Path, cli: Cli) -> None:
    arguments = ("evaluate", "--images", folder, "--counts", folder / "counts.csv", "--json")
    status, out, _ = cli(*arguments, "--split", "b")
    assert (status, json.loads(out)["n"]) == (0, 3)


def test_a_split_that_is_not_there_is_named_with_those_that_are(folder: Path, cli: Cli) -> None:
    table = folder / "counts.csv"
    status, out, error = cli("evaluate", "--images", folder, "--counts", table, "--split", "tset")
    assert (status, out) == (2, "")
    assert error == f"{table} has no row with split tset. Its splits: a, b.\n"


def test_columns_may_be_fewer_and_in_other_case(folder: Path, cli: Cli) -> None:
    table = write_csv(folder / "some.csv", [{" Image": "1.png", "PLT": 2, "note": "x"}])
    status, out, error = cli("evaluate", "--images", folder / "fields", "--counts", table, "--json")
    assert status == 0, error
    assert list(json.loads(out)["types"]) == ["PLT"]


def test_the_counter_is_told_the_scale_where_the_table_has_it(
    folder: Path, cli: Cli, tmp_path: Path
) -> None:
    picture, scale = folder / "fields" / "5.png", 2 * MICRONS
    means = []
    for rows in (["", scale], ["", ""]):
        made = [{"image": "5.png", "rbc": 0, "microns_per_pixel": value} for value in rows]
        table = write_csv(tmp_path / "counts.csv", made)
        given = ("--images", folder / "fields", "--counts", table, "--json")
        means.append(json.loads(cli("evaluate", *given)[1])["types"]["RBC"]["bias"])
    searched, told = (
        json.loads(cli("predict", picture, "--json", *more)[1])[0]["counts"]["RBC"]["value"]
        for more in ((), ("--microns-per-pixel", scale))
    )
    assert searched != told
    assert means == [(searched + told) / 2, searched]


GOOD = {"image": "1.png", "rbc": 3, "wbc": 1, "plt": 0}


@pytest.mark.parametrize(
    ("row", "more", "words"),
    [
        ({**GOOD, "rbc": "many"}, (), "1.png has 'many' for RBC; a count is a whole number"),
        ({**GOOD, "rbc": "-1"}, (), "1.png has '-1' for RBC; a count is a whole number of 0"),
        ({**GOOD, "plt": "2.5"}, (), "1.png has '2.5' for PLT; a count is a whole number"),
        ({**GOOD, "plt": "nan"}, (), "1.png has 'nan' for PLT; a count is a whole number"),
        ({**GOOD, "microns_per_pixel": "100"}, (), "'100' for microns_per_pixel; it must be 0.005"),
        ({**GOOD, "image": "none.png"}, (), "has no picture named none.png."),
        ({"rbc": 3}, (), "has no column named image."),
        ({"image": "1.png", "red": 3}, (), "has no column for a cell type: rbc, wbc, plt."),
        ({**GOOD, "rbc": "", "wbc": "", "plt": ""}, (), "no row with a count to compare with."),
        (GOOD, ("--split", "test"), "has no column named split."),
        (GOOD, ("--bundle", "/nowhere"), "There is no model bundle at /nowhere."),
    ],
)
def test_a_bad_table_is_refused_with_a_sentence(
    folder: Path, cli: Cli, tmp_path: Path, row: dict[str, Any], more: tuple[str, ...], words: str
) -> None:
    table = write_csv(tmp_path / "counts.csv", [row])
    status, out, error = cli("evaluate", "--images", folder / "fields", "--counts", table, *more)
    assert (status, out, words in error) == (2, "", True), error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be opened."),
        (b"", "has no column named image."),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "is not a CSV file in UTF-8."),
        (b"image,rbc\n", "no row with a count to compare with."),
    ],
)
def test_what_is_no_table_is_refused_with_a_sentence(
    folder: Path, cli: Cli, tmp_path: Path, content: bytes | None, words: str
) -> None:
    table = tmp_path / "counts.csv"
    if content is not None:
        table.write_bytes(content)
    status, _, error = cli("evaluate", "--images", folder / "fields", "--counts", table)
    assert (status, words in error) == (2, True), error


def test_a_broken_picture_is_named(folder: Path, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"no picture")
    table = write_csv(tmp_path / "counts.csv", [GOOD])
    status, _, error = cli("evaluate", "--images", tmp_path, "--counts", table)
    assert status == 2
    assert error.startswith(f"{tmp_path / '1.png'}: This is not a picture")


def test_a_command_that_is_none_and_threads_below_one_are_refused() -> None:
    for arguments in (("count",), ("predict", "a.png", "--threads", "0"), ("predict",)):
        done = run(*arguments)
        assert done.returncode == 2
        assert "usage: python -m ml" in done.stderr
