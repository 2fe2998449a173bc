"""A field in another light: stained anew, blurred, compressed, or as poorly taken as by hand."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from ml.config import InputConfig
from ml.optics import Floats, density

# Side of the noise that grain is cut from: larger than any canvas.
NOISE_SIDE = 1024
# The blur (standard deviation, as a share of a red cell's width) of poor pictures, and the share of
# their light that is lost at one side or in the corners: at most so much. Chosen by hand.
POOR_BLUR = (0.01, 0.08)
POOR_LIGHT = 0.35


class Lights:
    """Draws lights; the generator decides everything.

    A share `calm` of the pictures keeps its own light, of the others a share `poor` is badly
    focused and unevenly lit. How often and how far all else changes was chosen by hand.
    """

    def __init__(
        self, config: InputConfig, rng: np.random.Generator, calm: float, poor: float
    ) -> None:
        self.config = config
        self.rng = rng
        self.calm = calm
        self.poor = poor
        self._noise = rng.standard_normal((NOISE_SIDE, NOISE_SIDE), dtype=np.float32)

    def relight(self, image: Image.Image, light: Floats, cell_px: float) -> Floats:
        """Turn pixels into densities [h, w, 3] in another light.

        light: of the empty slide. cell_px: width of a red cell in the picture's pixels.
        """
        rng = self.rng
        if rng.random() < self.calm:
            return density(np.asarray(image), light, self.config)
        if self.poor and rng.random() < self.poor:
            return self._poor(image, light, cell_px)
        if rng.random() < 0.2:
            image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.3))))
        if rng.random() < 0.15:
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=int(rng.integers(35, 95)))
            image = Image.open(buffer)
        jitter = np.exp(rng.normal(0.0, 0.03, 3)).astype(np.float32)
        picture = density(np.asarray(image), light * jitter, self.config)
        picture = np.asarray(picture @ self._stain(), dtype=np.float32)
        height, width = picture.shape[:2]
        if rng.random() < 0.4:
            across, down = _sides(height, width)
            a, b, c = rng.normal(0.0, 0.05, 3).astype(np.float32)
            picture += (a * across + b * down + c * (across**2 + down**2 - 0.67))[..., None]
        if rng.random() < 0.5:
            # x is drawn by the height too: in a picture that is wider than high the grain may not
            # reach far enough, and is then left out. Left so, since the shipped weights came of it:
            # other bounds would give other numbers to all that is drawn after.
            y, x = rng.integers(NOISE_SIDE - min(height, NOISE_SIDE) + 1, size=2)
            grain = self._noise[y : y + height, x : x + width]
            if grain.shape == (height, width):
                picture += np.float32(rng.uniform(0.0, 0.05)) * grain[..., None]
        return np.asarray(picture, dtype=np.float32)

    def _poor(self, image: Image.Image, light: Floats, cell_px: float) -> Floats:
        """Return the densities of a picture out of focus, unevenly lit, grainy, or some of it."""
        rng = self.rng
        if rng.random() < 0.7:
            sigma = float(rng.uniform(*POOR_BLUR)) * cell_px
            image = image.filter(ImageFilter.GaussianBlur(sigma))
        picture = density(np.asarray(image), light, self.config)
        height, width = picture.shape[:2]
        if rng.random() < 0.5:
            across, down = _sides(height, width)
            if rng.random() < 0.5:  # the lamp stands to one side
                angle = float(rng.uniform(0.0, 2.0 * np.pi))
                away = (1.0 + across * np.cos(angle) + down * np.sin(angle)) / 2.0
            else:  # the corners are dark
                away = (across**2 + down**2) / 2.0
            lost = float(rng.uniform(0.0, POOR_LIGHT)) * np.clip(away, 0.0, 1.0)
            picture = picture - np.log1p(-lost).astype(np.float32)[..., None]
        if rng.random() < 0.5:
            grain = rng.standard_normal((height, width, 1), dtype=np.float32)
            picture = picture + np.float32(rng.uniform(0.0, 0.04)) * grain
        return np.asarray(picture, dtype=np.float32)

    def _stain(self) -> Floats:
        """Draw a mixing of the three densities: strength, saturation, hue and channel gains."""
        rng = self.rng
        strength = float(np.exp(np.clip(rng.normal(0.0, 0.32), -0.75, 0.9)))
        saturation = float(rng.uniform(0.5, 1.5))
        angle = float(rng.normal(0.0, 0.3))
        gray = np.full((3, 3), 1.0 / 3.0)
        # Rodrigues' rotation about the gray axis (1, 1, 1) / sqrt 3.
        cross = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / np.sqrt(3.0)
        turn = np.cos(angle) * (np.eye(3) - gray) + np.sin(angle) * cross
        gains = np.exp(rng.normal(0.0, 0.12, 3))
        mix = strength * (gray + saturation * turn) * gains[None, :]
        return np.asarray(mix, dtype=np.float32)


def _sides(height: int, width: int) -> tuple[Floats, Floats]:
    """Return -1 to 1 from left to right, [1, width], and from top to bottom, [height, 1]."""
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return across, down
