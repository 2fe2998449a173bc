"""Pictures that are no smear as the counter knows them: for the novelty score to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZE = (640, 480)
# Photographs that come with scikit-image and scikit-learn (see their own notes for the credits).
PHOTOS = (
    "skimage/data/astronaut.png",
    "skimage/data/brick.png",
    "skimage/data/camera.png",
    "skimage/data/chelsea.png",
    "skimage/data/coffee.png",
    "skimage/data/coins.png",
    "skimage/data/grass.png",
    "skimage/data/gravel.png",
    "skimage/data/motorcycle_left.png",
    "skimage/data/rocket.jpg",
    "sklearn/datasets/images/china.jpg",
    "sklearn/datasets/images/flower.jpg",
)
# What else is seen through lenses: no blood smear either.
OTHER = (
    "skimage/data/cell.png",
    "skimage/data/hubble_deep_field.jpg",
    "skimage/data/ihc.png",
    "skimage/data/moon.png",
    "skimage/data/retina.jpg",
)
PAGES = ("skimage/data/page.png", "skimage/data/text.png")
# Parts of one photograph, as shares of its width and height: left, top, right, bottom.
PARTS = (
    (0.0, 0.0, 1.0, 1.0),
    (0.0, 0.0, 0.6, 0.6),
    (0.4, 0.0, 1.0, 0.6),
    (0.0, 0.4, 0.6, 1.0),
    (0.4, 0.4, 1.0, 1.0),
)
# Densities (red, green, blue) of dyes: Ruifrok and Johnston 2001, Quantification of histochemical
# staining by color deconvolution, for hematoxylin, eosin and DAB.
HEMATOXYLIN = (0.650, 0.704, 0.286)
EOSIN = (0.072, 0.990, 0.105)
DAB = (0.268, 0.570, 0.776)
# Read off pictures of Gram (crystal violet) and reticulocyte (new methylene blue) preparations.
CRYSTAL_VIOLET = (0.55, 0.80, 0.22)
METHYLENE_BLUE = (0.86, 0.46, 0.21)

Floats = NDArray[np.float32]
# A kind of stranger: pictures by what they were made from.
Kind = list[tuple[str, Image.Image]]


def photographs(folder: Path, names: Sequence[str]) -> Kind:
    """Return parts of the photographs that are in `folder`."""
    out = []
    for name in names:
        if not (folder / name).is_file():
            continue
        image = Image.open(folder / name).convert("RGB")
        for left, top, right, bottom in PARTS:
            width, height = image.size
            box = (left * width, top * height, right * width, bottom * height)
            out.append((name, image.crop(box)))
    return out


def pages(number: int) -> Kind:
    """Draw pages of words, dark on light and light on dark, in several sizes."""
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    out = []
    for index in range(number):
        paper, ink = (248, 30) if rng.random() < 0.7 else (30, 230)
        page = Image.new("RGB", SIZE, (paper,) * 3)
        size = int(rng.integers(9, 40))
        font = ImageFont.load_default(size)
        for top in range(8, SIZE[1], round(1.4 * size)):
            words = ["".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(40)]
            ImageDraw.Draw(page).text((8, top), " ".join(words), fill=(ink,) * 3, font=font)
        out.append((f"page {index}", page))
    return out


def blanks(number: int) -> Kind:
    """Draw empty pictures: one color each, some lit unevenly."""
    rng = np.random.default_rng(0)
    out = []
    for index in range(number):
        across = np.linspace(-1, 1, SIZE[0])[None, :, None]
        down = np.linspace(-1, 1, SIZE[1])[:, None, None]
        slope = rng.normal(0.0, 12.0, 2) * (index % 2)
        values = rng.integers(0, 256, 3) + slope[0] * across + slope[1] * down
        out.append((f"blank {index}", _image(np.broadcast_to(values, (SIZE[1], SIZE[0], 3)))))
    return out


def noises(number: int) -> Kind:
    """Draw noise: gray or in colors, weak or strong, of grains one to 64 pixels wide."""
    rng = np.random.default_rng(0)
    out = []
    for index in range(number):
        grain = 2 ** int(rng.integers(0, 7))
        shape = (-(-SIZE[1] // grain), -(-SIZE[0] // grain), 3 if index % 2 else 1)
        values = rng.uniform(60, 200) + rng.uniform(10, 80) * rng.standard_normal(shape)
        small = _image(np.broadcast_to(values, (*shape[:2], 3)))
        out.append((f"noise {index}", small.resize(SIZE, Image.Resampling.BICUBIC)))
    return out


def blurred(share: float) -> Callable[[Image.Image, float], Image.Image]:
    """Return what blurs a field: Gaussian, sigma as a share of a red cell's width."""
    return lambda image, cell_px: image.filter(ImageFilter.GaussianBlur(share * cell_px))


def gray(image: Image.Image, cell_px: float) -> Image.Image:
    """Take the colors out."""
    return image.convert("L").convert("RGB")


def inverted(image: Image.Image, cell_px: float) -> Image.Image:
    """Make light what is dark."""
    return _image(255.0 - np.asarray(image, dtype=np.float32))


def swapped(image: Image.Image, cell_px: float) -> Image.Image:
    """Take red for blue: what a program does that mistakes the order of the channels."""
    return Image.fromarray(np.ascontiguousarray(np.asarray(image)[..., ::-1]))


def one_dye(dye: Sequence[float]) -> Callable[[Image.Image, float], Image.Image]:
    """Return what stains all of a field with one dye (densities in red, green, blue)."""

    def stain(image: Image.Image, cell_px: float) -> Image.Image:
        density, light = _densities(image)
        return _stained(density.sum(axis=2)[..., None] * (np.array(dye) / sum(dye)), light)

    return stain


def two_dyes(nuclei: Sequence[float], rest: Sequence[float]) -> Callable[..., Image.Image]:
    """Return what stains nuclei with one dye and the rest with another: what is twice as dense as
    most of what is stained is taken for a nucleus.
    """

    def stain(image: Image.Image, cell_px: float) -> Image.Image:
        density, light = _densities(image)
        total = density.sum(axis=2)
        cells = total[total > 0.2]
        middle = float(np.median(cells)) if cells.size else 1.0
        nucleus = np.clip(total / middle - 1.5, 0.0, 1.0)[..., None]
        first, second = (np.array(dye) / sum(dye) for dye in (nuclei, rest))
        return _stained(total[..., None] * (nucleus * first + (1 - nucleus) * second), light)

    return stain


Change = Callable[[Image.Image, float], Image.Image]
# What is done to smears, by name.
CHANGES: dict[str, Change] = {
    "blur, 0.25 of a cell": blurred(0.25),
    "blur, 0.5 of a cell": blurred(0.5),
    "gray": gray,
    "inverted": inverted,
    "red and blue swapped": swapped,
    "crystal violet (Gram)": one_dye(CRYSTAL_VIOLET),
    "methylene blue": one_dye(METHYLENE_BLUE),
    "DAB": one_dye(DAB),
    "hematoxylin and eosin": two_dyes(HEMATOXYLIN, EOSIN),
}


def drawn(photos: Path | None) -> Iterator[tuple[str, Kind]]:
    """Yield the kinds of strangers that are not made from smears."""
    if photos is not None:
        yield "photographs", photographs(photos, PHOTOS)
        yield "other things under lenses", photographs(photos, OTHER)
    yield "text", pages(40) + (photographs(photos, PAGES) if photos else [])
    yield "blank", blanks(40)
    yield "noise", noises(40)


def _densities(image: Image.Image) -> tuple[Floats, Floats]:
    pixels = np.asarray(image, dtype=np.float32)
    light = np.maximum(np.percentile(pixels, 92.0, axis=(0, 1)), 1.0).astype(np.float32)
    return -np.log(np.clip(pixels / light, 0.02, 1.0)), light


def _stained(density: Floats, light: Floats) -> Image.Image:
    return _image(light * np.exp(-density))


def _image(values: NDArray[np.floating]) -> Image.Image:
    return Image.fromarray(np.clip(values + 0.5, 0.0, 255.0).astype(np.uint8))
