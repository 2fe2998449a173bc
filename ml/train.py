"""Stage 2: train the counter on whole fields, from counts and marks mixed in one batch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml import checkpoint, pictures
from ml.augment import Augmenter, Loaded, Zoom, least_visible, load
from ml.config import BundleConfig
from ml.data import BadData, Field
from ml.nets import STRIDE, Counter
from ml.processor import half
from ml.targets import Batch, collate, loss, type_weights

Report = Callable[[str], None]
# Canvases of views (height, width): about one batch in each shape a camera may have.
CANVASES = ((240, 320), (256, 304), (256, 256))
AVERAGE_DECAY = 0.998
# Share of steps in which the learning rate rises to its peak; it then falls along a cosine.
WARM_UP = 0.08
CLIP_NORM = 5.0
# Cells of fields without sized boxes are taken to be this wide (share of the field's width).
UNKNOWN_WIDTH = 0.16


@dataclass(frozen=True)
class Settings:
    """How to train. The same settings, data and threads give the same weights."""

    epochs: int = 40
    batch: int = 8
    rate: float = 2e-3
    weight_decay: float = 1e-3
    mosaic: float = 0.2
    seed: int = 0
    threads: int = 1


def load_fields(fields: Sequence[Field], config: BundleConfig) -> list[Loaded]:
    """Decode all fields into memory.

    Raises:
        BadData: a picture is missing or broken.
    """
    loaded = []
    for field in fields:
        try:
            image = pictures.read(field.path).image
        except (OSError, pictures.BadPicture) as error:
            raise BadData(f"{field.path}: {error}") from None
        cell_px = field.cell_px or UNKNOWN_WIDTH * image.width
        loaded.append(load(field, image, cell_px, config.cell_types, config.input))
    groups = [field.group for field in fields]
    visible = {
        name: least_visible([x for x, group in zip(loaded, groups, strict=True) if group == name])
        for name in set(groups)
    }
    return [
        replace(item, visible=visible[group]) for item, group in zip(loaded, groups, strict=True)
    ]


def batches(
    loaded: Sequence[Loaded], config: BundleConfig, settings: Settings, epoch: int
) -> Iterator[Batch]:
    """Yield one epoch: every field once, in an order and in views drawn from seed and epoch."""
    rng = np.random.default_rng([settings.seed, epoch])
    augmenter = Augmenter(config.input, Zoom(), rng)
    order = rng.permutation(len(loaded))
    types = len(config.cell_types)
    for start in range(0, len(order) - settings.batch + 1, settings.batch):
        height, width = CANVASES[int(rng.integers(len(CANVASES)))]
        views = []
        for index in order[start : start + settings.batch]:
            if rng.random() < settings.mosaic:
                others = [loaded[int(i)] for i in rng.integers(len(loaded), size=3)]
                four = [loaded[int(index)], *others]
                if all((item.marked | ~item.known).all() for item in four):
                    views.append(augmenter.mosaic(four, height, width))
                    continue
            views.append(augmenter.view(loaded[int(index)], height, width))
        yield collate(views, types, STRIDE)


def rate_at(step: int, steps: int, peak: float) -> float:
    """Return the learning rate of a step: a linear rise, then half a cosine to 1 % of it."""
    rise = max(1, round(WARM_UP * steps))
    if step < rise:
        return peak * (step + 1) / rise
    share = (step - rise) / max(1, steps - rise)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def train(
    loaded: Sequence[Loaded],
    config: BundleConfig,
    settings: Settings,
    folder: Path,
    report: Report = print,
) -> Counter:
    """Train a net on loaded fields and return its averaged weights, norms folded.

    Saves a checkpoint in `folder` after each epoch and goes on from it when called again.
    """
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    net = Counter(config.net, len(config.cell_types)).channels_last()
    decayed = [p for p in net.parameters() if p.ndim > 1]
    plain = [p for p in net.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=settings.rate, weight_decay=settings.weight_decay)
    average = checkpoint.Average(net, AVERAGE_DECAY)
    weights = type_weights(config.cell_types)
    stamp = {**asdict(settings), "fields": len(loaded)}
    first = checkpoint.load(folder, net, optimizer, average, stamp)
    per_epoch = len(loaded) // settings.batch
    steps = settings.epochs * per_epoch
    started = time.monotonic()
    for epoch in range(first, settings.epochs):
        net.train()
        total = 0.0
        for number, batch in enumerate(batches(loaded, config, settings, epoch)):
            step = epoch * per_epoch + number
            for group in optimizer.param_groups:
                group["lr"] = rate_at(step, steps, settings.rate)
            inputs = batch.inputs.contiguous(memory_format=torch.channels_last)
            with half():
                output = net(inputs)
            value = loss(output, batch, weights)
            optimizer.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), CLIP_NORM)
            optimizer.step()
            average.update(net)
            total += float(value.detach())
        done = epoch + 1
        seconds = time.monotonic() - started
        speed = (done - first) * per_epoch * settings.batch / seconds
        left = seconds / (done - first) * (settings.epochs - done)
        report(
            f"epoch {done}/{settings.epochs}  loss {total / max(1, per_epoch):.3f}  "
            f"{speed:.0f} fields/s  {left / 60:.1f} min left"
        )
        checkpoint.save(folder, net, optimizer, average, done, stamp)
    net.load_state_dict(average.state)
    net.eval()
    return net.fold()
