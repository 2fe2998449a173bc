"""The pieces of the ablation: what is varied, at which size, and how one piece is made.

A piece is one training: a backbone, what it begins with, a head, what supervises it, a seed. Each
has its folder with a result.json that holds what it counted in every field that judges, so that
tables and plots can be made anew without training anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ml.base import count
from ml.config import FRAME, BundleConfig, InputConfig, NetConfig
from ml.data import BASE_TYPES, BadData, Field, counts_of, fold_of, read_fields, read_table
from ml.files import read_json, write_json
from ml.nets import MULTIPLE, Counter
from ml.pretrain import Settings as Stage1
from ml.pretrain import pretrain
from ml.progress import Follower
from ml.train import Settings, load_fields, train

Report = Callable[[str], None]
Check = Callable[[], None]
STARTS = ("scratch", "stage1", "imagenet")
# The head of the paper, our map from counts alone, and from marks too.
KINDS = (("fc", "counts"), ("map", "counts"), ("map", "marks"))
SHIPPED = ("hemanet", "map", "marks")
SEEDS, SHIPPED_SEEDS = 3, 5
# One training field of so many does not teach: learning curves are drawn from these.
WATCHED = 10


@dataclass(frozen=True)
class Size:
    """How much work a backbone gets: epochs of stage 1 and of stage 2, a red cell's width in the
    net, at most so many crops and fields (0 = all), and an evaluation each so many epochs. `rate`
    is the peak of stage 2's learning rate.
    """

    pretrain_epochs: int
    epochs: int
    cell_px: float
    crops: int = 0
    fields: int = 0
    watch_every: int = 3
    rate: float = Settings.rate

    def scale(self, head: str) -> InputConfig:
        """Return how pictures come to the net; the frame of the head fc shrinks with the cells."""
        frame = round(FRAME * self.cell_px / InputConfig().cell_px / MULTIPLE) * MULTIPLE
        return InputConfig(cell_px=self.cell_px, frame=frame if head == "fc" else None)


# A ResNet-18 costs much more than hemanet: it sees pictures of two thirds the side, half as often,
# and learns at a lower rate, which did a little better on held-out training fields. The whole
# table takes two cores two to three hours, one more where ImageNet can be reached.
SIZES = {
    "resnet18": Size(4, 24, 24.0, watch_every=6, rate=5e-4),
    "hemanet": Size(6, 48, 36.0, watch_every=6),
}
QUICK = {
    "resnet18": Size(1, 1, 24.0, crops=24, fields=10, watch_every=1),
    "hemanet": Size(1, 1, 24.0, crops=24, fields=10, watch_every=1),
}


@dataclass(frozen=True)
class Piece:
    """One training of the table."""

    backbone: str
    start: str
    head: str
    supervision: str
    seed: int

    @property
    def name(self) -> str:
        """Name its folder."""
        kind = f"{self.head}-{self.supervision}"
        return f"{self.backbone}-{self.start}-{kind}-seed{self.seed}"


@dataclass(frozen=True)
class Place:
    """Where the data lie, where results go, and at which sizes the pieces are made."""

    data: Path
    out: Path
    quick: bool = False

    def size(self, backbone: str) -> Size:
        """Return how much work a backbone gets."""
        return (QUICK if self.quick else SIZES)[backbone]

    def stage1(self, backbone: str) -> Path:
        """Return the folder of a backbone's stage 1."""
        return self.out / "stage1" / backbone

    def result(self, piece: Piece) -> Path:
        """Return the file that says that a piece is done, and with what result."""
        return self.out / "runs" / piece.name / "result.json"


def pieces(*, quick: bool, imagenet: bool) -> list[Piece]:
    """Return all pieces, seed by seed, so that a table that is cut short lacks seeds, not rows."""
    out = []
    for seed in range(1 if quick else SHIPPED_SEEDS):
        for backbone in SIZES:
            for start in STARTS:
                if start == "imagenet" and (not imagenet or backbone == "hemanet"):
                    continue
                for head, supervision in KINDS:
                    if seed < SEEDS or (backbone, head, supervision) == SHIPPED:
                        out.append(Piece(backbone, start, head, supervision, seed))
    return out


def run_stage1(place: Place, backbone: str, report: Report, check: Check) -> None:
    """Pretrain a backbone, once for all seeds; does nothing when that is done."""
    folder = place.stage1(backbone)
    if (folder / "backbone" / "backbone.json").is_file():
        return
    size = place.size(backbone)
    settings = Stage1(epochs=size.pretrain_epochs, limit=size.crops, seed=0, threads=1)
    net, scale = NetConfig(name=backbone), size.scale("map")
    pretrain(place.data / "cells", folder, net, scale, settings, report, check)


def run_piece(place: Place, piece: Piece, report: Report, check: Check) -> None:
    """Train a piece, count in all fields that judge, write its result; nothing when it is done.

    Raises:
        BadData: the data cannot be used.
    """
    target = place.result(piece)
    if target.is_file():
        return
    size = place.size(piece.backbone)
    config, settings = config_of(place, piece), settings_of(place, piece)
    teach, watched = training_fields(place, piece.backbone)
    loaded = load_fields(teach, config, piece.supervision, report)
    curve_file = target.with_name("curve.json")
    curve = read_json(curve_file) if curve_file.is_file() else {"epochs": [], "mae": []}

    def watch(epoch: int, make: Callable[[], Counter]) -> None:
        if epoch % size.watch_every == 0 or epoch == settings.epochs:
            # What an earlier call noted of this epoch and later ones is made anew.
            kept = sum(done < epoch for done in curve["epochs"])
            curve["epochs"][kept:] = [epoch]
            curve["mae"][kept:] = [_mae(make(), watched, config)]
            write_json(curve_file, curve)
        # Only now: the epoch's state is saved, so that no later call comes by here again.
        check()

    net = train(loaded, config, settings, target.parent / "checkpoint", report, watch, check)
    sets = {}
    for name, fields in judging_fields(place.data).items():
        check()
        sets[name] = {
            "image": [field.name for field in fields],
            "told": count(net, fields, config, Follower(report, f"Count {name}", len(fields))),
        }
    told = {"settings": asdict(settings), "size": asdict(size), "fields": len(loaded)}
    told["torch"] = torch.__version__.split("+")[0]
    write_json(target, {**asdict(piece), **told, "curve": curve, "sets": sets})


def config_of(place: Place, piece: Piece) -> BundleConfig:
    """Return which net a piece is, and how pictures come to it."""
    return BundleConfig(
        net=NetConfig(name=piece.backbone, head=piece.head),
        input=place.size(piece.backbone).scale(piece.head),
        placed=piece.supervision == "marks",
    )


def settings_of(place: Place, piece: Piece) -> Settings:
    """Return how a piece is trained."""
    return Settings(
        epochs=place.size(piece.backbone).epochs,
        rate=place.size(piece.backbone).rate,
        seed=piece.seed,
        threads=1,
        # So few steps are best spent on fields as they will come, the norms learning nearly to
        # the end.
        settle=1.0,
        still=0.25,
        supervision=piece.supervision,
        start=str(place.stage1(piece.backbone)) if piece.start == "stage1" else "",
        weights="imagenet" if piece.start == "imagenet" else "none",
    )


def training_fields(place: Place, backbone: str) -> tuple[list[Field], list[Field]]:
    """Return the fields that teach, and those from which learning curves are drawn.

    As in the paper only fields of the lab that the test fields come from teach: a small set, so
    that what stage 1 adds can be seen. All that come are taken where there are no test fields.

    Raises:
        BadData: the data have none.
    """
    fields = read_fields(place.data, splits=["train"])
    groups = {field.group for field in judging_fields(place.data).get("test", [])}
    fields = [field for field in fields if field.group in groups] or fields
    watched = [f for f in fields if fold_of(f, WATCHED) == 0 and "RBC" in f.counts]
    teach = [f for f in fields if fold_of(f, WATCHED) != 0]
    limit = place.size(backbone).fields
    return (teach[:limit], watched[:2]) if limit else (teach, watched)


def judging_fields(data: Path) -> dict[str, list[Field]]:
    """Return the fields that judge, and never teach: "test" and "external", where there are any.

    Raises:
        BadData: the data have neither.
    """
    out = {}
    for name in ("test", "external"):
        try:
            out[name] = read_fields(data, splits=[name])
        except BadData:
            continue
    if not out:
        raise BadData(f"{data / 'fields.csv'} has no fields of split test or external to judge by.")
    return out


def old_counts(data: Path) -> dict[str, dict[str, int]]:
    """Return the counts of the older labels (columns bccd_rbc, bccd_wbc, bccd_plt) by image."""
    out = {}
    for row in read_table(data / "fields.csv", ("image",)):
        named = {code: row.get(f"bccd_{code.lower()}", "") for code in BASE_TYPES}
        if counts := counts_of({**named, "image": row["image"]}, BASE_TYPES):
            out[row["image"]] = counts
    return out


def _mae(net: Counter, fields: list[Field], config: BundleConfig) -> dict[str, float]:
    """Return the mean absolute error by cell type."""
    told = count(net, fields, config)
    out = {}
    for code in config.cell_types:
        errors = [
            abs(t[code] - f.counts[code])
            for t, f in zip(told, fields, strict=True)
            if code in f.counts
        ]
        if errors:
            out[code] = sum(errors) / len(errors)
    return out
