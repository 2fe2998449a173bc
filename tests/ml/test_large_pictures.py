"""Pictures of up to a hundred megapixels: read as far as is of use, and within bounds of memory."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml import pictures
from ml.config import RED_CELL_MICRONS
from ml.look import MAX_WORK
from ml.predict import Predictor
from ml.synthetic import render
from tests.ml.making import CELL_PX, smear

BASE = Path("ml/weights/base")
SIDE = 10_000
# Prints by how many MiB the peak of memory rose, over what the program needs for a small picture.
PEAK = """
import sys
from pathlib import Path
from ml.predict import Predictor
from ml.synthetic import render

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024

predictor = Predictor(sys.argv[1], int(sys.argv[2]))
predictor.predict([render(0).image] * 2)
before = peak()
predictor.predict([Path(name) for name in sys.argv[3:]])
print(peak() - before)
"""

# Prints by how many MiB the peak of memory rose from a command on a few pictures to one on many.
BATCHES = """
import sys
from pathlib import Path
from ml.__main__ import main

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024

few, many = sys.argv[1].split("|"), sys.argv[2].split("|")
main(few)
before = peak()
main(many)
print(peak() - before)
"""


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_reader_gets_as_many_pixels_as_it_can_use(kind: str, orientation: int) -> None:
    ramp = np.linspace(0, 255, 1600, dtype=np.uint8)
    image = Image.fromarray(np.stack([np.tile(ramp, (1200, 1))] * 3, axis=-1))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, kind, exif=exif)
    whole = pictures.read(data)
    part = pictures.read(data, enough=100_000)
    upright = (1600, 1200) if orientation == 1 else (1200, 1600)
    assert whole.size == whole.image.size == part.size == upright
    assert part.image.size == (upright[0] // 4, upright[1] // 4)
    small = np.asarray(whole.image.reduce(4), dtype=float)
    assert np.abs(np.asarray(part.image, dtype=float) - small).max() < 4
    assert pictures.read(data, enough=1_000_000).image.size == upright


def test_marks_of_a_large_picture_lie_in_its_own_pixels() -> None:
    predictor = Predictor(BASE)
    small = smear(3).image
    times = 16
    large = small.resize((small.width * times, small.height * times), Image.Resampling.BICUBIC)
    assert large.width * large.height > MAX_WORK
    here, there = predictor.predict(
        [small, large], [RED_CELL_MICRONS / CELL_PX, RED_CELL_MICRONS / CELL_PX / times]
    )
    assert {code: count.value for code, count in there.counts.items()} == {
        code: count.value for code, count in here.counts.items()
    }
    assert here.counts["RBC"].value
    for mark in here.marks:
        near = [
            (other.x / times - mark.x, other.y / times - mark.y)
            for other in there.marks
            if other.cell_type == mark.cell_type
        ]
        assert min(max(abs(x), abs(y)) for x, y in near) < 3
    assert there.map_step * there.count_map.shape[2] == pytest.approx(large.width, rel=0.05)


def test_cells_are_as_wide_as_they_are_where_a_picture_is_held_below_the_nets_scale(
    base: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = 45.0
    made = render(4, red_cells=40, white_cells=0, platelets=0, cell_px=wide)
    both = ([made.image] * 2, [RED_CELL_MICRONS / wide, None])
    # As with a hundred megapixels: where the scale is not known it is searched at once, and fewer
    # pixels are looked at than the net's scale asks for.
    monkeypatch.setattr("ml.search.LARGE", 100_000)
    known, found = base.predict(*both)
    monkeypatch.setattr("ml.look.MAX_WORK", 100_000)
    held, searched = base.predict(*both)
    assert held.map_step > 1.5 * known.map_step
    assert known.cell_px == pytest.approx(wide, rel=0.01)
    assert held.cell_px == pytest.approx(wide, rel=0.01)
    # The search finds drawn cells too wide (`ml.search.LEVEL`), but as wide in fewer pixels; it
    # changes no count there, since as many pixels are looked at.
    assert wide < found.cell_px < 1.3 * wide
    assert searched.cell_px == pytest.approx(found.cell_px, rel=0.01)
    assert {code: count.value for code, count in searched.counts.items()} == {
        code: count.value for code, count in held.counts.items()
    }


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("kind", "threads", "most"), [("JPEG", 1, 350), ("PNG", 1, 700), ("JPEG", 2, 350)]
)
def test_a_hundred_megapixels_are_counted_within_bounds(
    tmp_path: Path, kind: str, threads: int, most: int
) -> None:
    """Also where there are two of them, and threads for both."""
    file = tmp_path / f"large.{kind.lower()}"
    Image.new("RGB", (SIDE, SIDE), (225, 220, 228)).save(file, kind)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(BASE), str(threads), str(file), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout) < most


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.jpg" for number in range(48)]
    for file in files:
        Image.new("RGB", (1000, 1000), (225, 220, 228)).save(file)
    few, many = ("|".join(["predict", *map(str, some)]) for some in (files[:16], files))
    done = subprocess.run(
        [sys.executable, "-c", BATCHES, few, many], capture_output=True, text=True, check=True
    )
    # Opened all at once, the pictures would take 120 MiB more.
    assert int(done.stdout.splitlines()[-1]) < 50
