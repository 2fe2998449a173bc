"""What a bundle's config.json says, as typed values. No torch here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

FORMAT = 1
# Width of a normal red cell on a stained, dried smear in micrometers (6 to 8).
RED_CELL_MICRONS = 7.5
# What a picture's micrometers per pixel may be, in the program's slides as well. A red cell is 1500
# pixels wide at the one end, more than most pictures, and less than a pixel at the other: whatever
# lies beyond is a slip of the pen or of the unit.
MICRONS_PER_PIXEL = (0.005, 10.0)
# A red cell's least width in the net: a map pixel (`ml.nets.STRIDE`). Narrower ones share one.
LEAST_CELL_PX = 8.0
# A picture is looked at again, at the scale just found, when that is off by more than this (log2).
SCALE_CLOSE = 0.2


# batch: by the statistics of the batch; frozen: by those the backbone came with, which other
# slides do not move; group: by each picture's own (Wu and He 2018, arXiv 1803.08494).
NORMS = ("batch", "frozen", "group")


# Side of the square that the head fc sees a whole picture in.
FRAME = 256  # chosen by hand


@dataclass(frozen=True)
class NetConfig:
    """Which net: "hemanet" or a backbone of torchvision, the head by its name in `ml.nets.HEADS`,
    the channels of hemanet, and how features are normalized (one of `NORMS`).
    """

    name: str = "hemanet"
    head: str = "map"
    widths: tuple[int, ...] = (16, 32, 64, 96)
    norm: str = "batch"


@dataclass(frozen=True)
class InputConfig:
    """How a picture becomes the net's input.

    cell_px: width of a red cell, in pixels, to which a picture is scaled.
    guess: a red cell's width as a share of the square root of the picture's area: where the
        search for the scale begins when micrometers per pixel are not known.
    background: percentile of each channel that is taken as the light of the empty slide.
    floor: smallest transmitted share of that light that is told apart.
    frame: side of a square, in pixels, into which every picture is fitted whole, for heads whose
        counts do not add up over parts; None: pictures are scaled by `cell_px`.

    All chosen by hand (guess near BCCD's 0.19: 104 pixels of 640 x 480). The shipped bundle's 44
    pixels a cell were compared with 48 on held-out training fields (docs/training.md).
    """

    cell_px: float = 48.0
    guess: float = 0.2
    background: float = 92.0
    floor: float = 0.02
    frame: int | None = None


@dataclass(frozen=True)
class BundleConfig:
    """config.json of a bundle; `placed` says that marks taught it where cells lie: then a map
    without a peak shows no cell.
    """

    cell_types: tuple[str, ...] = ("RBC", "WBC", "PLT")
    counting_rule: str = "all"
    net: NetConfig = field(default_factory=NetConfig)
    input: InputConfig = field(default_factory=InputConfig)
    name: str = "base"
    placed: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> BundleConfig:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: a value is missing or of another format; the message is a sentence.
        """
        if data.get("format") != FORMAT:
            raise ValueError(f"This model bundle has format {data.get('format')!r}, not {FORMAT}.")
        try:
            net = dict(data["net"])
            return cls(
                cell_types=tuple(str(code) for code in data["cell_types"]),
                counting_rule=str(data["counting_rule"]),
                net=NetConfig(**{**net, "widths": tuple(net["widths"])}),
                input=InputConfig(**data["input"]),
                name=str(data["name"]),
                placed=bool(data.get("placed", True)),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"This model bundle's config.json is not complete: {error}.") from None
