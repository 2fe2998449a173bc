"""Crops of single cells in class folders, and training views of them at the scale of fields.

The net must meet in stage 1 what it meets in stage 2: optical densities over the empty slide
(`ml.optics`), red cells about `InputConfig.cell_px` wide, other lights and stains (`ml.lights`),
many cells side by side. So crops are scaled by the width of the red cells around the named cell,
and laid out as mosaics: 1, 4 or 9 crops on one canvas, the more the further zoomed out.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ml import pictures
from ml.augment import Zoom
from ml.config import InputConfig
from ml.data import BadData
from ml.lights import Lights
from ml.optics import Floats, background, density
from ml.vision import transforms

# Red cells in the crops of Acevedo et al. 2020, shrunk from 360 to 192 pixels: their median width
# in fields of the same set is 79 pixels of 360.
CROP_CELL_PX = 79.0 * 192 / 360
# One crop of so many is held out, by its name.
HELD_OUT = 10
# Crops along each side of a canvas, how often, and the mean of their log2 scale. Chosen by
# hand.
LAYOUTS = ((1, 0.15, 0.0), (2, 0.5, 0.0), (3, 0.35, -0.5))
# Side of a canvas in red-cell widths: 240 pixels at 48 pixels a cell.
CANVAS = 5.0
# Side of the view by which a crop is judged: what is left of its neighbors says little.
JUDGED = 128 / 48
# How far off the middle a cell may lie, as a share of its tile. Chosen by hand.
OFF_MIDDLE = 0.12
# Share of crops that go through the AutoAugment policy: its inverted and solarized colors show no
# stain there is, so that half the crops keep theirs.
WITH_POLICY = 0.5
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
# AutoAugment's three (Cubuk et al. 2019, arXiv 1805.09501), RandAugment (Cubuk et al. 2020, arXiv
# 1909.13719), TrivialAugment (Mueller and Hutter 2021, arXiv 2103.10158).
POLICIES = ("imagenet", "cifar10", "svhn", "rand", "trivial", "none")


@dataclass(frozen=True)
class Crop:
    """A picture of one cell, and the index of its class."""

    path: Path
    label: int

    @property
    def held_out(self) -> bool:
        """Whether it judges and does not teach: by its name, so the same in every run."""
        name = f"{self.path.parent.name}/{self.path.name}"
        return zlib.crc32(name.encode()) % HELD_OUT == 0


def read_crops(folder: Path) -> tuple[list[str], list[Crop]]:
    """Return the classes (names of the folders, sorted) and the crops in them, by name.

    Raises:
        BadData: no such folder, fewer than two classes, or a class without crops to teach and
            to judge.
    """
    if not folder.is_dir():
        raise BadData(f"There is no folder {folder}. Name one that holds a folder for each class.")
    found = {
        place.name: sorted(p for p in place.iterdir() if p.suffix.lower() in SUFFIXES)
        for place in sorted(folder.iterdir())
        if place.is_dir() and not place.name.startswith(".")
    }
    classes = [name for name, paths in found.items() if paths]
    if len(classes) < 2:
        raise BadData(
            f"{folder} must hold a folder of pictures for each class, two at least; "
            f"it holds {len(classes)}."
        )
    crops = [Crop(path, i) for i, name in enumerate(classes) for path in found[name]]
    for index, name in enumerate(classes):
        parts = {crop.held_out for crop in crops if crop.label == index}
        if len(parts) < 2:
            raise BadData(
                f"The class {name} has too few pictures: one of {HELD_OUT} is held out, and some "
                "must be left. Add pictures, or take the folder away."
            )
    return classes, crops


def open_crop(path: Path) -> Image.Image:
    """Decode a crop.

    Raises:
        BadData: it is missing or is no usable picture.
    """
    try:
        return pictures.read(path).image
    except (OSError, pictures.BadPicture) as error:
        raise BadData(f"{path}: {error}") from None


def sides(config: InputConfig) -> tuple[int, int]:
    """Return the sides in pixels of a canvas (three and two tiles fit, each a multiple of 8) and
    of the view by which crops are judged (a multiple of 16).
    """
    return round(CANVAS * config.cell_px / 48) * 48, round(JUDGED * config.cell_px / 16) * 16


class Mosaics:
    """Draws canvases of crops; the generator decides all but the policy, which asks torch's."""

    def __init__(
        self, config: InputConfig, policy: str, crop_cell_px: float, rng: np.random.Generator
    ) -> None:
        self.config = config
        self.policy = policy
        self.crop_cell_px = crop_cell_px
        self.rng = rng
        self.zoom = Zoom()
        self._lights = Lights(config, rng, self.zoom.calm, self.zoom.poor)

    def layout(self) -> tuple[int, float]:
        """Draw how many crops lie along each side of the next canvases, and their mean scale."""
        shares = [share for _, share, _ in LAYOUTS]
        number, _, scale = LAYOUTS[int(self.rng.choice(len(LAYOUTS), p=shares))]
        return number, scale

    def canvas(self, images: Sequence[Image.Image], along: int, mean_scale: float) -> Floats:
        """Lay `along` x `along` crops, row by row, on a canvas [side, side, 3] of densities."""
        whole, _ = sides(self.config)
        side = whole // along
        out = np.zeros((whole, whole, 3), dtype=np.float32)
        for index, image in enumerate(images):
            top, left = index // along * side, index % along * side
            out[top : top + side, left : left + side] = self._tile(image, side, mean_scale)
        return out

    def plain(self, image: Image.Image) -> Floats:
        """Show the middle of a crop as it is: the view [side, side, 3] by which it is judged."""
        _, side = sides(self.config)
        light = _light_of(image, self.config)
        part, top, left = _cut(image, side, self.config.cell_px / self.crop_cell_px, (0.0, 0.0))
        return _laid(density(np.asarray(part), light, self.config), side, top, left)

    def _tile(self, image: Image.Image, side: int, mean_scale: float) -> Floats:
        rng = self.rng
        if self.policy != "none" and rng.random() < WITH_POLICY:
            image = _policy(self.policy, _light_of(image, self.config))(image)
        light = _light_of(image, self.config)
        low, high = self.zoom.wide
        log_scale = float(np.clip(rng.normal(mean_scale, self.zoom.near), low, high))
        factor = self.config.cell_px * 2.0**log_scale / self.crop_cell_px
        off = rng.uniform(-OFF_MIDDLE, OFF_MIDDLE, 2) * side
        part, top, left = _cut(image, side, factor, (float(off[0]), float(off[1])))
        view = _laid(self._lights.relight(part, light, self.crop_cell_px * factor), side, top, left)
        if rng.random() < 0.5:
            view = view[:, ::-1]
        return np.rot90(view, int(rng.integers(4)))


def _light_of(image: Image.Image, config: InputConfig) -> Floats:
    """Return the light of the empty slide, found at half the size in a quarter of the time."""
    return background(image.reduce(2), config)


def _cut(
    image: Image.Image, side: int, factor: float, off: tuple[float, float]
) -> tuple[Image.Image, int, int]:
    """Scale a crop by `factor` and cut what a tile shows of it; return that and its top and left
    in the tile. Where the crop ends before the tile, empty slide shows.
    """
    full_w, full_h = image.width * factor, image.height * factor
    w, h = min(side, max(1, int(full_w))), min(side, max(1, int(full_h)))
    x0 = float(np.clip((full_w - w) / 2 + off[0], 0.0, full_w - w))
    y0 = float(np.clip((full_h - h) / 2 + off[1], 0.0, full_h - h))
    right, bottom = min((x0 + w) / factor, image.width), min((y0 + h) / factor, image.height)
    box = (x0 / factor, y0 / factor, right, bottom)
    part = image.resize((w, h), Image.Resampling.BILINEAR, box=box)
    return part, (side - h) // 2, (side - w) // 2


def _laid(picture: Floats, side: int, top: int, left: int) -> Floats:
    height, width = picture.shape[:2]
    if (height, width) == (side, side):
        return picture
    out = np.zeros((side, side, 3), dtype=np.float32)
    out[top : top + height, left : left + width] = picture
    return out


def _policy(name: str, light: Floats) -> transforms.Transform:
    """Return a policy of torchvision that fills what it uncovers with empty slide."""
    fill = [float(value) for value in light]
    if name == "rand":
        return transforms.RandAugment(fill=fill)
    if name == "trivial":
        return transforms.TrivialAugmentWide(fill=fill)
    return transforms.AutoAugment(transforms.AutoAugmentPolicy(name), fill=fill)
