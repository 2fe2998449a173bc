"""Stage 3 on a few drawn fields: a candidate and a verdict, resume, cancel, a new cell type."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from ml import bundle
from ml.bundle import BASE
from ml.predict import Predictor
from ml.progress import CANCELLED
from tests.ml.conftest import Cli
from tests.ml.making import MICRONS, events, run, smear, start, write_manifest
from tests.waiting import wait_until


def arguments(small: Path, manifest: Path, out: Path, epochs: int = 2) -> list[object]:
    return [
        *("finetune", "--bundle", small, "--manifest", manifest, "--out", out),
        *("--epochs", epochs, "--threads", 1),
    ]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_manifest(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def tuned(
    small: Path, manifest: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[dict]]:
    """The folder that a run wrote, and its events."""
    out = tmp_path_factory.mktemp("tuned")
    done = run(*map(str, arguments(small, manifest, out)))
    assert done.returncode == 0, done.stderr
    return out, events(done.stdout)


def test_a_candidate_and_a_verdict_come_out(tuned: tuple[Path, list[dict]], small: Path) -> None:
    out, told = tuned
    result = told[-1]
    assert result["event"] == "result"
    assert result["fields"] == {"train": 4, "holdout": 2}
    for who in ("champion", "candidate"):
        assert result[who]["n"] == 2
        assert set(result[who]["types"]) == {"RBC", "WBC", "PLT"}
        # What the gate compares the two by, field by field.
        assert result[who]["slides"] == [0, 1]
        for told_of in result[who]["types"].values():
            assert sum(told_of["errors"]) / 2 == told_of["mae"]
    assert isinstance(result["verdict"]["promote"], bool)
    assert result["verdict"]["text"].endswith(".")

    shares = [event["progress"] for event in told if event["event"] == "progress"]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert told[0] == {
        "event": "log",
        "message": "Learning from 4 fields, judging on 2 hold-out fields.",
    }

    before, made = bundle.load(small), bundle.load(out / "bundle")
    assert made.config.cell_types == before.config.cell_types
    assert made.calibration.by_map
    assert made.calibration.spreads != before.calibration.spreads
    assert all(spread.deviation for spread in made.calibration.spreads.values())
    assert made.metrics["fields"] == {"train": 4, "holdout": 2}
    assert "## Fine-tuned\n\nOn 4 fields counted in a study" in made.card
    assert made.replay is not None
    for name, value in made.weights.items():
        early = name.startswith(("backbone.stem", "backbone.down4", "backbone.block4"))
        assert np.array_equal(value, before.weights[name]) >= early
    assert not np.array_equal(
        made.weights["head.cells.weight"], before.weights["head.cells.weight"]
    )
    # The study's own slides are no news any more.
    novelties = [
        Predictor(path, 1).predict([smear(0).image], [MICRONS])[0].novelty
        for path in (small, out / "bundle")
    ]
    assert novelties[1] <= novelties[0]


def test_a_candidate_goes_half_way_to_what_was_learned(
    tuned: tuple[Path, list[dict]], small: Path
) -> None:
    """Few fields teach much by chance: the candidate stays near the counter it came from."""
    out, _ = tuned
    learned = load_file(out / "checkpoint" / "all" / "state.safetensors")
    before, made = bundle.load(small), bundle.load(out / "bundle")
    for name in ("head.cells.weight", "head.cells.bias"):
        start, end = before.weights[name], learned[f"average.{name}"]
        assert not np.allclose(start, end)
        assert np.allclose(made.weights[name], start + 0.5 * (end - start), atol=1e-6)
    assert "50% of the way from the weights before to the learned ones" in made.card


def test_a_second_fine_tuning_starts_from_the_first(
    tuned: tuple[Path, list[dict]], manifest: Path, cli: Cli
) -> None:
    out, _ = tuned
    status, told, error = cli(*arguments(out / "bundle", manifest, out / "next", epochs=1))
    assert status == 0, error
    assert events(told)[-1]["event"] == "result"
    card = bundle.load(out / "next" / "bundle").card
    assert card.count("## Fine-tuned") == 1


def test_cancelled_by_sigterm_it_says_so(small: Path, manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(*map(str, arguments(small, manifest, out, epochs=500)))
    wait_until((out / "checkpoint" / "part-0" / "progress.json").is_file, 60, "a checkpoint")
    process.send_signal(signal.SIGTERM)
    told, error = process.communicate(timeout=60)
    assert process.returncode == CANCELLED == 3, error
    assert events(told)[-1]["message"].startswith("Cancelled. Started again with the same folder")
    assert not (out / "bundle").exists()


def test_a_killed_run_ends_with_the_weights_of_one_that_was_not(
    tuned: tuple[Path, list[dict]], small: Path, manifest: Path, tmp_path: Path, cli: Cli
) -> None:
    whole, _ = tuned
    out = tmp_path / "again"
    command = arguments(small, manifest, out)
    process = start(*map(str, command))
    wait_until((out / "checkpoint" / "all" / "progress.json").is_file, 60, "a checkpoint")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    status, told, error = cli(*command)
    assert status == 0, error
    first = next(e for e in events(told) if e.get("step") == "Learning the study's counts")
    assert first["progress"] > 0.5
    a, b = (bundle.load(path / "bundle").weights for path in (whole, out))
    assert all(np.array_equal(a[name], b[name]) for name in a)


def test_a_new_type_alone_leaves_the_others_as_they_are(tmp_path: Path, cli: Cli) -> None:
    """A lab counts nothing but its own type: the shipped counter learns it, and keeps its counts.

    What is drawn as red cells is called RETIC here, so that there is something to find.
    """
    study = write_manifest(
        tmp_path,
        cell_types=["RBC", "WBC", "PLT", "RETIC"],
        counted=["RETIC"],
        renamed={"RBC": "RETIC"},
    )
    out = tmp_path / "out"
    status, told, error = cli(*arguments(BASE, study, out, epochs=8))
    assert status == 0, error
    assert any("Only new cell types are counted" in e.get("message", "") for e in events(told))
    before, after = Predictor(BASE, 1), Predictor(out / "bundle", 1)
    assert after.bundle.config.cell_types == ("RBC", "WBC", "PLT", "RETIC")
    images = [smear(seed, red_cells=12).image for seed in range(50, 54)]
    for old, new in zip(before.predict(images), after.predict(images), strict=True):
        for code in ("RBC", "WBC", "PLT"):
            assert new.counts[code].raw == pytest.approx(old.counts[code].raw, rel=0.01)
        assert new.counts["RETIC"].value == pytest.approx(12, abs=3)
        assert new.counts["RETIC"].low < new.counts["RETIC"].high


def test_intervals_of_a_bundle_of_before_stay_in_its_unit(
    older: Path, manifest: Path, tmp_path: Path, cli: Cli
) -> None:
    status, _, error = cli(*arguments(older, manifest, tmp_path / "out", epochs=1))
    assert status == 0, error
    assert not bundle.load(tmp_path / "out" / "bundle").calibration.by_map


def test_a_new_type_beside_the_others_is_learned_with_them(
    small: Path, tmp_path: Path, cli: Cli
) -> None:
    types = ["RBC", "WBC", "PLT", "BLAST"]
    study = write_manifest(
        tmp_path, cell_types=types, counted=["RBC", "BLAST"], renamed={"WBC": "BLAST"}
    )
    status, told, error = cli(*arguments(small, study, tmp_path / "out", epochs=1))
    assert status == 0, error
    assert set(events(told)[-1]["candidate"]["types"]) == {"RBC", "BLAST"}
    made = bundle.load(tmp_path / "out" / "bundle")
    assert made.config.cell_types == tuple(types)
    assert set(made.calibration.spreads) == set(types)
    assert made.calibration.spreads["BLAST"].deviation


def test_a_new_type_that_nobody_counted_yet_waits(small: Path, tmp_path: Path, cli: Cli) -> None:
    """An output that was taught nothing would still answer, and the next run take it for known."""
    types = ["RBC", "WBC", "PLT", "BLAST"]
    study = write_manifest(tmp_path, cell_types=types, counted=["RBC"])
    status, _, error = cli(*arguments(small, study, tmp_path / "out", epochs=1))
    assert status == 0, error
    made = bundle.load(tmp_path / "out" / "bundle")
    assert made.config.cell_types == ("RBC", "WBC", "PLT")
    assert "50% of the way" in made.card


def test_pictures_that_cannot_be_read_are_told_and_left_out(
    small: Path, tmp_path: Path, cli: Cli
) -> None:
    study = write_manifest(tmp_path)
    (tmp_path / "0.png").write_bytes(b"no picture")
    (tmp_path / "100.png").unlink()
    told = json.loads(study.read_text())
    told["fields"][1]["marks"][0]["x"] = 5000
    study.write_text(json.dumps(told))
    status, told, error = cli(*arguments(small, study, tmp_path / "out", epochs=1))
    assert status == 0, error
    logs = [event["message"] for event in events(told) if event["event"] == "log"]
    assert any(line.startswith("Left out field 0: This is not a picture") for line in logs)
    assert "Left out field 1: it has a mark outside its picture." in logs
    assert "Left out hold-out field 100: its picture is missing." in logs
    result = events(told)[-1]
    assert result["fields"] == {"train": 2, "holdout": 1}
    assert not result["verdict"]["promote"]
    assert "Count 1 more on the hold-out slides" in result["verdict"]["text"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train": []}, "No counted fields to learn from."),
        ({"cell_types": []}, "names no cell types."),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    small: Path, tmp_path: Path, cli: Cli, change: dict, words: str
) -> None:
    study = write_manifest(tmp_path, **change)
    status, told, error = cli(*arguments(small, study, tmp_path / "out"))
    assert (status, words in error) == (2, True), error
    assert words in events(told)[-1]["message"]
    assert not (tmp_path / "out" / "bundle").exists()


def test_nothing_but_broken_pictures_is_refused(small: Path, tmp_path: Path, cli: Cli) -> None:
    study = write_manifest(tmp_path)
    for picture in tmp_path.glob("*.png"):
        picture.unlink()
    status, _, error = cli(*arguments(small, study, tmp_path / "out"))
    assert (status, "None of the pictures to learn from can be read." in error) == (2, True)


def test_a_damaged_replay_is_refused(small: Path, tmp_path: Path, cli: Cli) -> None:
    folder = Path(shutil.copytree(small, tmp_path / "bundle"))
    replay = folder / "replay.safetensors"
    replay.write_bytes(replay.read_bytes()[:200])
    study = write_manifest(tmp_path / "study")
    status, _, error = cli(*arguments(folder, study, tmp_path / "out"))
    assert (status, "replay.safetensors is damaged." in error) == (2, True), error
