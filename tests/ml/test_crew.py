"""Counting on several threads: the same counts in the same order, the same refusals."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from ml import pictures
from ml.crew import gathered
from ml.predict import FieldPrediction, Predictor
from ml.synthetic import render
from tests.ml.making import smear


@pytest.fixture(params=[2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """The threads that torch may use for the length of a test."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def mixed() -> list[Image.Image]:
    """Fields of several sizes: some share a pass, one goes in tiles, one tells no scale."""
    fields = [render(seed, red_cells=12 + 5 * seed) for seed in range(5)]
    tiled = render(9, width=1700, height=1300, red_cells=200, cell_px=60.0)
    tiny = smear(3).image.crop((0, 0, 200, 200))
    upright = smear(6, width=240, height=320).image
    return [fields[0].image, tiled.image, *(made.image for made in fields[1:]), tiny, upright]


@pytest.fixture(scope="module")
def on_one(base: Predictor, mixed: list[Image.Image]) -> list[FieldPrediction]:
    """What one thread makes of them."""
    return base.predict(mixed)


def test_counts_do_not_depend_on_the_threads(
    base: Predictor, mixed: list[Image.Image], on_one: list[FieldPrediction], threads: int
) -> None:
    for answer, before in zip(base.predict(mixed), on_one, strict=True):
        assert answer.to_dict() == before.to_dict()
        assert answer.count_map == pytest.approx(before.count_map, abs=1e-6)


def test_the_first_picture_that_cannot_be_used_is_told(
    base: Predictor, tmp_path: Path, threads: int
) -> None:
    good, text, short, none = (tmp_path / f"{name}.png" for name in ("good", "text", "short", "no"))
    smear(1).image.save(good)
    text.write_text("no picture")
    short.write_bytes(good.read_bytes()[:2000])
    for bad, rest in ((text, (none, short)), (short, (text, none))):
        for paths in ([good, bad, *rest], [bad, good, *rest], [*[good] * 5, bad, good, *rest]):
            with pytest.raises(pictures.BadPicture) as told:
                base.predict(paths)
            assert told.value.file == bad
    with pytest.raises(FileNotFoundError):
        base.predict([good, none, text])
    with pytest.raises(ValueError, match="Micrometers per pixel"):
        base.predict([good, good, text], [None, -1.0, None])
    assert len(base.predict([good] * 3)) == 3


def test_as_many_work_at_once_as_torch_may_use_threads(threads: int) -> None:
    together = threading.Barrier(threads)

    def meet(number: int) -> tuple[int, int]:
        together.wait(timeout=60)
        return number, torch.get_num_threads()

    with gathered() as crew:
        assert crew.each(meet, range(2 * threads)) == [(i, 1) for i in range(2 * threads)]


def test_nothing_is_left_of_the_threads(base: Predictor, tmp_path: Path, threads: int) -> None:
    """A process that forked would have none of them; what follows counts on all cores again."""
    running = threading.active_count()
    base.predict([smear(seed).image for seed in range(4)])
    with pytest.raises(FileNotFoundError):
        base.predict([tmp_path / "none.png"] * 4)
    assert threading.active_count() == running
    assert torch.get_num_threads() == threads
