"""Real fields made worse in the ways a picture goes wrong at the microscope."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

Spoil = Callable[[Image.Image, float], Image.Image]
# Standard deviation of the camera's noise in a badly focused picture, in 8-bit levels.
NOISE = 3.0


def blurred(share: float, noise: float = 0.0) -> Spoil:
    """Blur (Gaussian, sigma as a share of a red cell's width), then add the camera's noise."""

    def spoil(image: Image.Image, cell_px: float) -> Image.Image:
        soft = np.asarray(image.filter(ImageFilter.GaussianBlur(share * cell_px)), np.float32)
        rng = np.random.default_rng(0)
        return _image(soft + noise * rng.standard_normal(soft.shape, dtype=np.float32))

    return spoil


def exposed(gain: float) -> Spoil:
    """Take the picture with so many times the light; what is over 255 is lost."""
    return lambda image, cell_px: _image(gain * np.asarray(image, np.float32))


def faint(share: float) -> Spoil:
    """Leave this share of the stain's density."""

    def spoil(image: Image.Image, cell_px: float) -> Image.Image:
        through, light = _transmitted(image)
        return _image(light * np.maximum(through, 1e-3) ** share)

    return spoil


def crowded(layers: int) -> Spoil:
    """Lay the field over itself, mirrored, so that cells lie on top of each other."""

    def spoil(image: Image.Image, cell_px: float) -> Image.Image:
        through, light = _transmitted(image)
        through = np.minimum(through, 1.0)
        mirrored = (through[::-1, ::-1], through[::-1], through[:, ::-1])
        for layer in mirrored[: layers - 1]:
            through = through * layer
        return _image(light * through)

    return spoil


def aslant(share: float) -> Spoil:
    """Take this share of the light away at the right side, evenly less of it toward the left."""

    def spoil(image: Image.Image, cell_px: float) -> Image.Image:
        across = np.linspace(0.0, 1.0, image.width, dtype=np.float32)
        return _image((1.0 - share * across)[None, :, None] * np.asarray(image, np.float32))

    return spoil


def vignetted(share: float) -> Spoil:
    """Take this share of the light away in the corners, with the square of the way to them."""

    def spoil(image: Image.Image, cell_px: float) -> Image.Image:
        down = np.linspace(-1.0, 1.0, image.height, dtype=np.float32)[:, None, None]
        across = np.linspace(-1.0, 1.0, image.width, dtype=np.float32)[None, :, None]
        away = (down**2 + across**2) / 2
        return _image((1.0 - share * away) * np.asarray(image, np.float32))

    return spoil


def curved(gamma: float) -> Spoil:
    """Let the camera put another curve on its values."""

    def spoil(image: Image.Image, cell_px: float) -> Image.Image:
        return _image(255.0 * (np.asarray(image, np.float32) / 255.0) ** gamma)

    return spoil


def saturated(times: float) -> Spoil:
    """Let the camera make colors so many times as strong."""
    return lambda image, cell_px: ImageEnhance.Color(image).enhance(times)


# By name: the fault that should be found, and what makes it.
SPOILED: dict[str, tuple[str, Spoil]] = {
    "blur 0.05 of a cell": ("blurred", blurred(0.05)),
    "blur 0.1": ("blurred", blurred(0.1)),
    "blur 0.15": ("blurred", blurred(0.15)),
    "blur 0.25": ("blurred", blurred(0.25)),
    "blur 0.15 and noise": ("blurred", blurred(0.15, NOISE)),
    "light x 0.1": ("dark", exposed(0.1)),
    "light x 0.2": ("dark", exposed(0.2)),
    "light x 0.4": ("dark", exposed(0.4)),
    "light x 1.5": ("bright", exposed(1.5)),
    "light x 2": ("bright", exposed(2.0)),
    "light x 3": ("bright", exposed(3.0)),
    "stain x 0.5": ("faint", faint(0.5)),
    "stain x 0.25": ("faint", faint(0.25)),
    "stain x 0.15": ("faint", faint(0.15)),
    "two layers of cells": ("crowded", crowded(2)),
    "three layers": ("crowded", crowded(3)),
    "four layers": ("crowded", crowded(4)),
    "light to one side -20 %": ("uneven", aslant(0.2)),
    "light to one side -30 %": ("uneven", aslant(0.3)),
    "light to corners -10 %": ("uneven", vignetted(0.1)),
    "light to corners -30 %": ("uneven", vignetted(0.3)),
}

# What changes counts little: no fault is meant for it, or one that costs the reader little.
BORNE: dict[str, Spoil] = {
    "light to one side -20 %": aslant(0.2),
    "light to one side -30 %": aslant(0.3),
    "light to corners -10 %": vignetted(0.1),
    "light to corners -30 %": vignetted(0.3),
    "gamma 0.7": curved(0.7),
    "gamma 1.4": curved(1.4),
    "saturation x 0.6": saturated(0.6),
    "saturation x 1.5": saturated(1.5),
}


def _transmitted(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    pixels = np.asarray(image, dtype=np.float32)
    light = np.maximum(np.percentile(pixels, 92.0, axis=(0, 1)), 1.0).astype(np.float32)
    return pixels / light, light


def _image(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(values + 0.5, 0.0, 255.0).astype(np.uint8))
