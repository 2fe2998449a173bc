"""Fields as a phone at the eyepiece shows them: a bright circle on a dark surround.

    python -m benchmarks.round --data ../shared/data [--fits DIR] [--bundle DIR] [--json]

Each training field is shown through a circle, in the ways of `KINDS`. What that shows is counted
anew from the boxes: a cell is there when as much of it lies inside the circle as annotators ask for
at a picture's border (`ml.augment.VISIBLE`). Beside them, without a surround: whole fields, and
squares as large as the first circle, with the same middle.

With the folder that `python -m ml train --folds 5` wrote, each field is counted by the fit that has
not seen it; unlike and poor are what the bundle says.

Phones: pictures of 3000 x 4000 pixels whose circle shows many fields, side by side in one light, at
half, once and twice their pixels; counted by the bundle, the scale searched and told.
"""

from __future__ import annotations

import argparse
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.torch import load_file

from benchmarks.made import GAP, LIGHT, Opened, lit
from ml import pictures
from ml.augment import VISIBLE
from ml.bundle import BASE
from ml.config import RED_CELL_MICRONS, InputConfig
from ml.data import Field, Mark, fold_of, read_fields
from ml.nets import Counter as Net
from ml.predict import Predictor

FOLDS = 5
PHONE = (3000, 4000)
FACTORS = (0.5, 1.0, 2.0)
JPEG = 85
LAB = "bccd"  # whose fields the phones show
# Where a field lies in a picture: x, y, and times its pixels.
Place = tuple[float, float, float]
# A true count, how far the told one is off, whether it was called unlike, and the faults.
Told = tuple[int, int, bool, tuple[str, ...]]


@dataclass(frozen=True)
class Kind:
    """How a circle lies in a picture, in shares of the picture's shorter side, and what is beyond.

    radius, right and down (of its middle from the picture's); surround: level of 255; noise: its
    standard deviation; soft: over so much the light falls off; fringe: so much further out red
    ends and further in blue; falls: the share of light that is lost at the circle's edge.
    """

    radius: float = 0.5
    right: float = 0.0
    down: float = 0.0
    surround: float = 0.0
    noise: float = 0.0
    soft: float = 0.008
    fringe: float = 0.0
    falls: float = 0.0
    jpeg: bool = False


KINDS = {
    "fits the picture": Kind(),
    "cut above and below": Kind(radius=0.62),
    "only the corners dark": Kind(radius=0.67),
    "smaller": Kind(radius=0.4),
    "off the middle": Kind(radius=0.55, right=0.25, down=-0.1),
    "dark gray, noisy": Kind(radius=0.52, surround=20.0, noise=4.0, jpeg=True),
    "soft rim": Kind(radius=0.5, soft=0.04, surround=10.0, noise=2.0),
    "colored fringe": Kind(radius=0.55, soft=0.015, fringe=0.01),
    "light falls off to the rim by 20 %": Kind(radius=0.5, soft=0.02, falls=0.2, jpeg=True),
}


AT_A_PHONE = Kind(radius=0.49, soft=0.01, surround=6.0, noise=2.0, jpeg=True)


def rounded(image: Image.Image, kind: Kind, seed: int = 0) -> Image.Image:
    """Show a picture through a circle."""
    rng = np.random.default_rng(seed)
    pixels = np.asarray(image, np.float32)
    x, y, radius = circle(image.size, kind)
    side = min(image.size)
    across = np.arange(image.width, dtype=np.float32)[None, :] + 0.5 - x
    down = np.arange(image.height, dtype=np.float32)[:, None] + 0.5 - y
    away = np.hypot(down, across)[..., None]
    ends = radius + side * kind.fringe * np.array([1.0, 0.0, -1.0], np.float32)
    # From the rim on, half a width of it inside and half outside: a smooth step.
    step = np.clip((ends - away) / max(side * kind.soft, 1.0) + 0.5, 0.0, 1.0)
    through = step * step * (3.0 - 2.0 * step)
    seen = pixels * (1.0 - kind.falls * np.minimum(away / radius, 1.0) ** 2)
    shown = through * seen + (1.0 - through) * kind.surround
    shown += kind.noise * rng.standard_normal(shown.shape, dtype=np.float32)
    out = Image.fromarray(np.clip(shown + 0.5, 0, 255).astype(np.uint8))
    if kind.jpeg:
        file = io.BytesIO()
        out.save(file, "JPEG", quality=JPEG)
        out = pictures.read(file.getvalue()).image
    return out


def circle(size: tuple[int, int], kind: Kind) -> tuple[float, float, float]:
    """Return the middle (x, y) and the radius of a kind's circle in a picture, in pixels."""
    side = min(size)
    x, y = size[0] / 2 + kind.right * side, size[1] / 2 + kind.down * side
    return x, y, kind.radius * side


@dataclass(frozen=True)
class Shown:
    """A field as it is shown, and how many red cells that shows."""

    kind: str
    image: Image.Image
    count: int


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="train")
    parser.add_argument("--fields", type=int, default=60, help="of each lab, at most")
    parser.add_argument("--bundle", type=Path, default=BASE)
    parser.add_argument("--fits", type=Path, help="what `ml train --folds 5` wrote: see above")
    parser.add_argument("--phones", type=int, default=0, help="pictures of each size")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    predictor = Predictor(options.bundle, 1)
    own = predictor.net
    fits = [fit(predictor, options.fits / f"fold{i}") for i in range(FOLDS)] if options.fits else []
    labs: dict[str, list[Field]] = {}
    for field in read_fields(options.data, splits=[options.split]):
        if field.cell_px and field.marked("RBC") and field.counts["RBC"]:
            labs.setdefault(field.group, []).append(field)
    rows = []
    for lab, fields in labs.items():
        told: dict[str, list[Told]] = {}
        every = max(1, len(fields) // options.fields)
        for number, field in enumerate(fields[::every][: options.fields]):
            made = ways(field, number)
            images = [one.image for one in made]
            said = predictor.predict(images)
            counted = said
            if fits:
                predictor.net = fits[fold_of(field, FOLDS)]
                counted = predictor.predict(images)
                predictor.net = own
            for one, count, word in zip(made, counted, said, strict=True):
                off = count.counts["RBC"].value - one.count
                told.setdefault(one.kind, []).append(
                    (one.count, off, word.novel, word.quality.faults)
                )
        rows += [row(lab, kind, known) for kind, known in told.items()]
    if options.phones:
        rows += phone_rows(predictor, labs[LAB], options.phones)
    print(json.dumps(rows, indent=2) if options.json else table(rows))
    return 0


def fit(predictor: Predictor, folder: Path) -> Net:
    """Return the averaged net of a training that ended."""
    net = Net(predictor.bundle.config.net, len(predictor.bundle.config.cell_types))
    state = load_file(folder / "state.safetensors")
    start = "average."
    net.load_state_dict({k[len(start) :]: v for k, v in state.items() if k.startswith(start)})
    return net.eval().fold().channels_last()


def ways(field: Field, seed: int) -> list[Shown]:
    """Show a field whole, through each circle, and as the square beside the first one."""
    image = pictures.read(field.path).image
    out = [Shown("whole, no surround", image, field.counts["RBC"])]
    x, y, radius = circle(image.size, Kind())
    half = round(radius * math.sqrt(math.pi) / 2)
    box = (round(x) - half, round(y) - half, round(x) + half, round(y) + half)
    count = sum(_in_square(mark, box, field) for mark in field.marks if mark.code == "RBC")
    out.append(Shown("a square, no surround", image.crop(box), count))
    for name, kind in KINDS.items():
        out.append(Shown(name, rounded(image, kind, seed), seen(field, image.size, kind)))
    return out


def seen(field: Field, size: tuple[int, int], kind: Kind, at: Place = (0.0, 0.0, 1.0)) -> int:
    """Return how many of a field's red cells the circle shows in a picture of this size.

    at: where in it the field's upper left corner lies (x, y), and how many times its pixels it has.
    """
    left, top, factor = at
    x, y, radius = circle(size, kind)
    x, y, radius = (x - left) / factor, (y - top) / factor, radius / factor
    return sum(
        _enough(radius + _width(mark) / 2 - math.hypot(mark.x - x, mark.y - y), mark, field)
        for mark in field.marks
        if mark.code == "RBC"
    )


def phone_rows(predictor: Predictor, fields: Sequence[Field], number: int) -> list[dict[str, Any]]:
    """Return the red cells' error in pictures as phones take them."""
    rng = np.random.default_rng(0)
    rows = []
    for factor in FACTORS:
        made = [phone(fields, factor, rng, predictor.bundle.config.input) for _ in range(number)]
        for how in ("searched", "told"):
            told: list[Told] = []
            for image, count, cell_px in made:
                scale = RED_CELL_MICRONS / cell_px if how == "told" else None
                (one,) = predictor.predict([image], [scale])
                off = one.counts["RBC"].value - count
                told.append((count, off, one.novel, one.quality.faults))
            rows.append(row(LAB, f"phone, x {factor:g}, scale {how}", told))
    return rows


def phone(
    fields: Sequence[Field], factor: float, rng: np.random.Generator, config: InputConfig
) -> tuple[Image.Image, int, float]:
    """Return a phone's picture of many fields, the red cells that it shows and their width."""
    canvas = np.full((PHONE[1], PHONE[0], 3), LIGHT, np.float32)
    order: list[int] = []
    count, widths = 0, []
    gap = round(GAP * factor)
    wide, high = round(640 * factor), round(480 * factor)
    for top in range(0, PHONE[1] - high + 1, high + gap):
        for left in range(0, PHONE[0] - wide + 1, wide + gap):
            order = order or rng.permutation(len(fields)).tolist()
            field = fields[order.pop()]
            assert field.cell_px is not None
            one = Opened(field, pictures.read(field.path).image, field.cell_px)
            image = Image.fromarray(np.clip(lit(one, config) + 0.5, 0, 255).astype(np.uint8))
            shown = np.asarray(image.resize((wide, high), Image.Resampling.BICUBIC))
            canvas[top : top + high, left : left + wide] = shown
            count += seen(field, PHONE, AT_A_PHONE, (left, top, factor))
            widths.append(field.cell_px * factor)
    picture = Image.fromarray(np.clip(canvas + 0.5, 0, 255).astype(np.uint8))
    seed = int(rng.integers(1 << 30))
    return rounded(picture, AT_A_PHONE, seed), count, float(np.median(widths))


def _in_square(mark: Mark, box: tuple[int, int, int, int], field: Field) -> bool:
    wide = min(mark.x + mark.w / 2, box[2]) - max(mark.x - mark.w / 2, box[0])
    high = min(mark.y + mark.h / 2, box[3]) - max(mark.y - mark.h / 2, box[1])
    return _enough(min(wide, high), mark, field)


def _enough(depth: float, mark: Mark, field: Field) -> bool:
    assert field.cell_px is not None
    return depth >= min(VISIBLE * field.cell_px, min(mark.w, mark.h) - 1.0)


def _width(mark: Mark) -> float:
    return math.sqrt(mark.w * mark.h)


def row(lab: str, kind: str, told: Sequence[Told]) -> dict[str, Any]:
    """Return the red cells' error in one kind of pictures, and what is said of them."""
    mean = float(np.mean([count for count, _, _, _ in told]))
    off = np.array([off for _, off, _, _ in told], np.float64)
    mae = float(np.abs(off).mean())
    return {
        "set": lab,
        "shown": kind,
        "n": len(told),
        "mean": mean,
        "mae": mae,
        "share": mae / mean,
        "bias": float(off.mean()),
        "novel": sum(novel for _, _, novel, _ in told),
        "faults": dict(Counter(fault for _, _, _, faults in told for fault in faults)),
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the measures as lines for people."""
    lines = ["set, shown, fields, red cells, their MAE, as a share, bias, called novel, poor"]
    for one in rows:
        lines.append(
            f"  {one['set']:<5} {one['shown']:<36} {one['n']:>4} {one['mean']:>5.1f} "
            f"{one['mae']:>5.2f} {one['share']:>6.1%} {one['bias']:>+6.2f} {one['novel']:>4} "
            f"{one['faults'] or ''}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
