"""Stage 1: train a backbone to tell cells apart, so that it knows them before it counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml import checkpoint, metrics, stage1
from ml.config import InputConfig, NetConfig
from ml.crops import CROP_CELL_PX, POLICIES, Crop, Mosaics, open_crop, read_crops
from ml.data import BadData
from ml.nets import freeze_norms, make_backbone
from ml.processor import device, half, repeatable
from ml.progress import Follower, Pace
from ml.train import AVERAGE_DECAY, CLIP_NORM, make_optimizer, rate_at

Report = Callable[[str], None]
# Softer targets (Szegedy et al. 2016, arXiv 1512.00567): look-alikes (immature granulocytes,
# monocytes) are labeled with some error.
SMOOTHING = 0.05
# Steps between two lines of progress, and crops judged at a time.
TELL_EVERY = 100
CHUNK = 32


@dataclass(frozen=True)
class Settings:
    """How to pretrain. The same settings, crops and threads give the same weights on a processor;
    on a GPU they do with `deterministic`.

    batch: canvases a step. crop_cell_px: width of a red cell in the crops, in pixels.
    limit: crops to learn from at most, 0 for all. weights: where the backbone begins, "none" or
    "imagenet".
    """

    epochs: int = 7
    batch: int = 8
    rate: float = 2e-3
    weight_decay: float = 1e-3
    policy: str = "imagenet"
    crop_cell_px: float = CROP_CELL_PX
    limit: int = 0
    weights: str = "none"
    seed: int = 0
    threads: int = 1
    deterministic: bool = False


class Classifier(nn.Module):
    """A backbone that names the cell in each tile of a canvas by its mean features there."""

    def __init__(self, config: NetConfig, classes: int) -> None:
        super().__init__()
        self.backbone = make_backbone(config)
        self.out = nn.Linear(self.backbone.out_channels, classes)
        self._frozen = config.norm == "frozen"

    def train(self, mode: bool = True) -> Classifier:
        """Set training mode, in which frozen norms stay as they are."""
        super().train(mode)
        if self._frozen:
            freeze_norms(self.backbone.given())
        return self

    def forward(self, canvases: Tensor, along: int) -> Tensor:
        """Return logits [n * along^2, classes] of [n, 3, h, w] densities, tiles row by row."""
        features = self.backbone.late(self.backbone.early(canvases))
        features = features.float()
        if features.is_cuda:
            # Adaptive pooling has no gradient there that `deterministic` would allow.
            tiles = F.avg_pool2d(features, features.shape[-1] // along)
        else:
            tiles = F.adaptive_avg_pool2d(features, along)
        # In whole precision on a GPU too: half of it rounds what tells look-alikes apart.
        with torch.autocast(tiles.device.type, enabled=False):
            logits: Tensor = self.out(tiles.permute(0, 2, 3, 1).flatten(0, 2))
        return logits


def pretrain(
    data: Path,
    out: Path,
    net: NetConfig,
    scale: InputConfig,
    settings: Settings,
    report: Report = print,
    check: Callable[[], None] = lambda: None,
    credit: str = "",
) -> dict[str, Any]:
    """Train on class folders of crops, judge on those held out, write `out`; return the metrics.

    Saves a checkpoint in `out`/checkpoint after each epoch and goes on from it when called again;
    `check` is called at each step and may raise to end the work. credit: whose crops they are,
    for the card of what is trained on.

    Raises:
        BadData: the crops or the weights to begin with cannot be used, or `out` holds a training
            with other settings.
    """
    if settings.policy not in POLICIES:
        raise BadData(
            f"There is no policy named {settings.policy}. Use one of {', '.join(POLICIES)}."
        )
    out.mkdir(parents=True, exist_ok=True)  # rather refused now than after an epoch
    classes, crops = read_crops(data)
    teach = [crop for crop in crops if not crop.held_out]
    judge = [crop for crop in crops if crop.held_out]
    if settings.limit:
        order = np.random.default_rng(settings.seed).permutation(len(teach))[: settings.limit]
        teach = [teach[int(i)] for i in order]
    report(
        f"{len(teach)} crops of {len(classes)} classes to learn from, {len(judge)} held out; "
        f"{net.name}, {settings.threads} thread(s)"
    )
    model = fit(teach, classes, net, scale, settings, out / "checkpoint", report, check)
    report("Judge on the crops held out")
    guesses = _guess(model, judge, scale, settings, report, check)
    told = _metrics([crop.label for crop in judge], guesses, classes)
    low, high = told["accuracy_interval"]
    report(f"Accuracy {told['accuracy']:.1%} (95 % interval {low:.1%} to {high:.1%})")
    stage1.save(
        out / "backbone",
        model.backbone,
        net,
        scale,
        {
            "settings": asdict(settings),
            "crops": {"train": len(teach), "held_out": len(judge)},
            "credit": credit,
            "torch": torch.__version__.split("+")[0],
            "metrics": told,
        },
    )
    return told


def fit(
    crops: Sequence[Crop],
    classes: Sequence[str],
    net: NetConfig,
    scale: InputConfig,
    settings: Settings,
    folder: Path,
    report: Report,
    check: Callable[[], None] = lambda: None,
) -> Classifier:
    """Train on crops and return the averaged net; keeps its checkpoint in `folder`.

    Raises:
        BadData: the weights to begin with cannot be used, `folder` holds a training with other
            settings, or the weights run away.
    """
    torch.set_num_threads(settings.threads)
    repeatable(settings.deterministic)
    torch.manual_seed(settings.seed)
    model = _begin(net, len(classes), settings.weights)
    model.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(model, settings.rate, settings.weight_decay)
    average = checkpoint.Average(model, AVERAGE_DECAY)
    stamp = {
        **asdict(settings),
        "net": asdict(net),
        "input": asdict(scale),
        "crops": {"number": len(crops), "sha256": _digest(crops)},
        "classes": list(classes),
    }
    checkpoint.refuse_other(folder, stamp)
    first = checkpoint.load(folder, model, optimizer, average, stamp)
    total = settings.epochs * len(crops)
    pace = Pace(total, "crops", first * len(crops))
    for epoch in range(first, settings.epochs):
        model.train()
        losses, right, seen = 0.0, 0, 0
        for number, batch in enumerate(batches(crops, scale, settings, epoch), 1):
            check()
            for group in optimizer.param_groups:
                group["lr"] = rate_at(epoch * len(crops) + seen, total, settings.rate)
            value, told_right = _step(model, optimizer, *batch)
            average.update(model)
            own = len(batch[-1])
            losses += value * own
            right += told_right
            seen += own
            if number % TELL_EVERY == 0 or seen == len(crops):
                report(
                    f"epoch {epoch + 1}/{settings.epochs}  {seen / len(crops):.0%}  "
                    f"loss {losses / seen:.3f}  right {right / seen:.1%}  "
                    f"{pace.told(epoch * len(crops) + seen)}"
                )
        checkpoint.refuse_diverged(losses, epoch + 1)
        checkpoint.save(folder, model, optimizer, average, epoch + 1, stamp)
    model.load_state_dict(average.state)
    return model.eval().cpu()


def _begin(net: NetConfig, classes: int, weights: str) -> Classifier:
    """Return a net with the weights that training begins with.

    Raises:
        BadData: they cannot be used or downloaded, or do not go with the net.
    """
    model = Classifier(net, classes)
    if weights == "imagenet":
        stage1.load_imagenet(model.backbone, net)
    elif net.norm == "frozen":
        raise BadData(
            "Frozen norms keep what the backbone came with: begin with --weights imagenet, or use "
            "--norm batch."
        )
    return model


def _step(
    model: Classifier,
    optimizer: torch.optim.Optimizer,
    canvases: Tensor,
    along: int,
    labels: Tensor,
) -> tuple[float, int]:
    """Learn from a batch of `batches`; return its loss and how many crops the net had right."""
    place = device()
    with half(place):
        inputs = canvases.to(place).contiguous(memory_format=torch.channels_last)
        logits = model(inputs, along)
    labels = labels.to(place)
    value = F.cross_entropy(logits, labels, label_smoothing=SMOOTHING)
    optimizer.zero_grad(set_to_none=True)
    value.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
    optimizer.step()
    return float(value.detach()), int((logits.argmax(dim=1) == labels).sum())


def _digest(crops: Sequence[Crop]) -> str:
    """Return the SHA-256 over the crops' names and classes, in their order."""
    told = [(crop.path.name, crop.label) for crop in crops]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def batches(
    crops: Sequence[Crop], scale: InputConfig, settings: Settings, epoch: int
) -> Iterator[tuple[Tensor, int, Tensor]]:
    """Yield one epoch, every crop once: canvases [n, 3, h, w], crops along a side, labels.

    The order and the views are drawn from seed and epoch. Where the last crops do not fill their
    layout, they come one by one.
    """
    rng = np.random.default_rng([settings.seed, epoch])
    torch.manual_seed(int(rng.integers(2**31)))
    mosaics = Mosaics(scale, settings.policy, settings.crop_cell_px, rng)
    order = [crops[int(i)] for i in rng.permutation(len(crops))]
    start = 0
    while start < len(order):
        along, mean_scale = mosaics.layout()
        left = len(order) - start
        if left < along**2:
            along, mean_scale = 1, 0.0
        rows = min(settings.batch, left // along**2)
        part = order[start : start + rows * along**2]
        start += len(part)
        views = []
        for row in range(rows):
            own = part[row * along**2 : (row + 1) * along**2]
            views.append(mosaics.canvas([open_crop(c.path) for c in own], along, mean_scale))
        inputs = torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)
        yield inputs, along, torch.tensor([crop.label for crop in part])


@torch.inference_mode()
def _guess(
    model: Classifier,
    crops: Sequence[Crop],
    scale: InputConfig,
    settings: Settings,
    report: Report,
    check: Callable[[], None],
) -> list[int]:
    """Return the class of each crop as the net sees it."""
    mosaics = Mosaics(scale, "none", settings.crop_cell_px, np.random.default_rng(0))
    out: list[int] = []
    follow = Follower(report, "Judged", len(crops), "crops")
    for start in range(0, len(crops), CHUNK):
        check()
        views = [mosaics.plain(open_crop(c.path)) for c in crops[start : start + CHUNK]]
        inputs = torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)
        out += model(inputs, 1).argmax(dim=1).tolist()
        follow(len(out))
    return out


def _metrics(true: Sequence[int], told: Sequence[int], classes: Sequence[str]) -> dict[str, Any]:
    """Return accuracy and mean recall with bootstrap 95 % intervals, recall by class, and the
    confusion matrix: a row for each true class, a column for each answer.
    """
    a, b = np.asarray(true, dtype=np.float64), np.asarray(told, dtype=np.float64)
    confusion = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(confusion, (a.astype(int), b.astype(int)), 1)
    recall = confusion.diagonal() / confusion.sum(axis=1)
    return {
        "n": len(a),
        "accuracy": metrics.accuracy(a, b),
        "accuracy_interval": metrics.interval(metrics.accuracy, a, b),
        "mean_recall": metrics.mean_recall(a, b),
        "mean_recall_interval": metrics.interval(metrics.mean_recall, a, b),
        "recall": {name: float(share) for name, share in zip(classes, recall, strict=True)},
        "classes": list(classes),
        "confusion": confusion.tolist(),
    }
