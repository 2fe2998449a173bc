"""How the dyes of a synthetic smear color what they stain, and how slides differ.

Colors are optical densities: what a structure takes out of the light per channel, natural
logarithm, so that a pixel is `background * exp(-sum of densities)` (Beer-Lambert) and overlaps
darken by themselves. The numbers were read off real smears of the same look.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Stain:
    """Colors of one staining recipe.

    `background` and `background_cold` are 8-bit RGB of the empty slide, warm and cold lamp; all
    others are the densities (red, green, blue) of a structure where it is thickest.
    """

    background: Rgb
    background_cold: Rgb
    red: Rgb
    nucleus: Rgb
    pink: Rgb  # neutrophil cytoplasm
    blue: Rgb  # lymphocyte cytoplasm
    gray: Rgb  # monocyte cytoplasm
    orange: Rgb  # eosinophil granules
    violet: Rgb  # azurophil and platelet granules


STAINS: dict[str, Stain] = {
    "may-gruenwald-giemsa": Stain(
        background=(252, 228, 204),
        background_cold=(229, 228, 237),
        red=(0.245, 0.38, 0.24),
        nucleus=(1.12, 1.78, 0.48),
        pink=(0.15, 0.30, 0.12),
        blue=(0.58, 0.52, 0.14),
        gray=(0.42, 0.46, 0.14),
        orange=(0.30, 0.82, 0.42),
        violet=(0.72, 1.25, 0.26),
    ),
    "wright": Stain(
        background=(196, 199, 193),
        background_cold=(193, 198, 204),
        red=(0.065, 0.265, 0.215),
        nucleus=(0.50, 0.98, 0.01),
        pink=(0.12, 0.26, 0.03),
        blue=(0.30, 0.30, 0.02),
        gray=(0.24, 0.27, 0.02),
        orange=(0.12, 0.55, 0.22),
        violet=(0.42, 0.74, 0.02),
    ),
    "giemsa": Stain(
        background=(208, 240, 224),
        background_cold=(196, 226, 232),
        red=(0.06, 0.95, 0.62),
        nucleus=(1.30, 1.62, 0.62),
        pink=(0.10, 0.22, 0.09),
        blue=(0.40, 0.36, 0.08),
        gray=(0.30, 0.32, 0.09),
        orange=(0.10, 0.85, 0.50),
        violet=(0.66, 0.95, 0.26),
    ),
    "pale": Stain(
        background=(239, 237, 234),
        background_cold=(232, 235, 241),
        red=(0.09, 0.22, 0.16),
        nucleus=(0.66, 0.92, 0.24),
        pink=(0.08, 0.17, 0.05),
        blue=(0.27, 0.25, 0.05),
        gray=(0.20, 0.22, 0.06),
        orange=(0.14, 0.46, 0.24),
        violet=(0.42, 0.66, 0.15),
    ),
}


@dataclass(frozen=True)
class Look:
    """What all fields of one slide share: dyes, lamp, camera dirt, and the donor's red cells."""

    stain: Stain
    name: str
    background: Rgb
    vignette: float  # share of the light lost in the corners
    lamp: tuple[float, float]  # where the lamp points, -1..1 from the middle
    slope: tuple[float, float]  # share of the light lost from edge to edge
    focus: float  # blur, share of a red cell's width
    noise: float  # sensor noise, 8-bit levels
    pallor: float  # depth of the central pallor, 0..1
    pallor_width: float  # exponent on the radius: above 1 the pallor is wide
    anisocytosis: float  # standard deviation of red cell size, share of it
    oval: float  # typical elongation of red cells
    clumping: float  # share of red cells that lie on or against another
    edge: float  # strength of the dark rim line
    drying: float  # share of red cells with a drying artifact
    dust: tuple[tuple[float, float, float, float], ...]  # x, y (0..1), radius, density


def _jitter(rng: np.random.Generator, density: Rgb, spread: float) -> Rgb:
    """Stain time varies the strength of a dye, its age the hue a little."""
    strength = float(np.exp(rng.normal(0.0, spread)))
    hue = np.exp(rng.normal(0.0, spread * 0.35, 3))
    return tuple(float(d * strength * h) for d, h in zip(density, hue, strict=True))  # type: ignore[return-value]


def draw_look(rng: np.random.Generator, name: str | None) -> Look:
    """Draw a slide's look in the stain `name`, or in any of `STAINS` when None.

    Raises:
        ValueError: there is no such stain.
    """
    if name is not None and name not in STAINS:
        raise ValueError(f"There is no stain {name!r}; choose one of {', '.join(STAINS)}.")
    drawn = list(STAINS)[int(rng.integers(len(STAINS)))]
    name = name or drawn
    base = STAINS[name]
    # Both dyes are jittered apart: eosin colors red cells, azure colors nuclei.
    stain = replace(
        base,
        red=_jitter(rng, base.red, 0.12),
        nucleus=_jitter(rng, base.nucleus, 0.08),
        pink=_jitter(rng, base.pink, 0.15),
        blue=_jitter(rng, base.blue, 0.15),
        gray=_jitter(rng, base.gray, 0.15),
        orange=_jitter(rng, base.orange, 0.10),
        violet=_jitter(rng, base.violet, 0.10),
    )
    cold = float(rng.beta(0.5, 1.2))
    warm_rgb, cold_rgb = np.array(base.background), np.array(base.background_cold)
    light = warm_rgb + cold * (cold_rgb - warm_rgb) + rng.normal(0.0, 2.0, 3)
    specks = tuple(
        (
            float(rng.uniform()),
            float(rng.uniform()),
            float(rng.uniform(0.05, 0.16)),
            float(rng.uniform(0.02, 0.07)),
        )
        for _ in range(int(rng.integers(0, 4)))
    )
    return Look(
        stain=stain,
        name=name,
        background=(float(light[0]), float(light[1]), float(light[2])),
        vignette=float(rng.uniform(0.01, 0.09)),
        lamp=(float(rng.uniform(-0.4, 0.4)), float(rng.uniform(-0.4, 0.4))),
        slope=(float(rng.normal(0.0, 0.015)), float(rng.normal(0.0, 0.015))),
        focus=float(rng.uniform(0.007, 0.016)),
        noise=float(rng.uniform(0.8, 1.8)),
        pallor=float(rng.uniform(0.68, 1.12)),
        pallor_width=float(rng.uniform(0.95, 1.5)),
        anisocytosis=float(rng.uniform(0.03, 0.075)),
        oval=float(rng.uniform(0.05, 0.13)),
        clumping=float(rng.uniform(0.12, 0.5)),
        edge=float(rng.uniform(0.0, 0.22)),
        drying=float(0.25 * rng.beta(0.4, 2.0)),
        dust=specks,
    )
