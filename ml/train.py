"""Stage 2: train the counter on whole fields, from counts and marks mixed in one batch."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml import checkpoint, pictures, stage1
from ml.augment import HARDENED, SETTLED, Augmenter, Loaded, Zoom, least_visible, load
from ml.config import BundleConfig, InputConfig, NetConfig
from ml.data import BadData, Field
from ml.nets import MULTIPLE, STRIDE, Counter
from ml.processor import device, half
from ml.progress import Follower, Pace
from ml.targets import Batch, collate, loss, type_weights

Report = Callable[[str], None]
Watch = Callable[[int, Callable[[], Counter]], None]
Check = Callable[[], None]
# Canvases of views (height, width) at 48 pixels a red cell: one batch each in a shape that a
# camera may have.
CANVASES = ((240, 320), (256, 304), (256, 256))
# The averaged weights are those of about the last 500 steps, 1 / (1 - decay).
AVERAGE_DECAY = 0.998
# Share of steps in which the learning rate rises to its peak; it then falls along a cosine
# (Loshchilov and Hutter 2017, arXiv 1608.03983).
WARM_UP = 0.08
# Longer gradients are cut (Pascanu et al. 2013, arXiv 1211.5063): one odd batch must not undo many.
CLIP_NORM = 5.0
# Peak of the learning rate in the hardening epochs, as a share of the first one. Chosen by hand.
HARDEN_RATE = 0.3
# How often fields with the counts of some types only are drawn, where a group's full ones are 1.
PARTLY = 0.25
# Cells of fields without sized boxes and of unknown scale are taken to be this wide (share of the
# field's width): the median of BCCD, 104 of 640 pixels. Of the 14 such training fields 8 are PBC's,
# where it is 79 of 360: left so, since the shipped weights came of it.
UNKNOWN_WIDTH = 0.16


@dataclass(frozen=True)
class Settings:
    """How to train. The same settings, data and threads give the same weights on a processor; a
    GPU adds in an order of its own.

    supervision: "marks" (counts, and marks where a field has them) or "counts" (no marks: nothing
    can be cropped then). settle: share of the epochs, at the end, in views as fields will come.
    still: share of the epochs, at the end, with the norms held still. harden: epochs after these,
    in which some views are as poor as pictures taken by hand. start: folder of stage 1's backbone,
    or "". weights: what the backbone begins with otherwise, "none" or "imagenet".

    Numbers of epochs, `settle`, `still` and `harden` were tried on held-out training fields
    (docs/training.md); batch, rate, weight decay and mosaic were chosen by hand.
    """

    epochs: int = 40
    batch: int = 8
    rate: float = 2e-3
    weight_decay: float = 1e-3
    mosaic: float = 0.2
    settle: float = 0.6
    still: float = 0.25
    harden: int = 0
    seed: int = 0
    threads: int = 1
    supervision: str = "marks"
    start: str = ""
    weights: str = "none"

    def shortened(self, epochs: int) -> Settings:
        """Return the same with so many epochs, and as large a share of hardening ones."""
        return replace(self, epochs=epochs, harden=round(self.harden * epochs / self.epochs))

    def rate_of(self, step: int, per_epoch: int) -> float:
        """Return the learning rate of a step, counted from 0, where an epoch has `per_epoch`."""
        steps = self.epochs * per_epoch
        if step < steps:
            return rate_at(step, steps, self.rate)
        return rate_at(step - steps, self.harden * per_epoch, HARDEN_RATE * self.rate)


def load_fields(
    fields: Sequence[Field],
    config: BundleConfig,
    supervision: str = "marks",
    report: Report = lambda line: None,
) -> list[Loaded]:
    """Decode all fields into memory; for `supervision` by "counts" without their marks. `report`
    hears how far it is.

    Raises:
        BadData: a picture is missing or broken.
    """
    loaded: list[Loaded] = []
    follow = Follower(report, "Open", len(fields))
    for field in fields:
        try:
            image = pictures.read(field.path).image
        except (OSError, pictures.BadPicture) as error:
            raise BadData(f"{field.path}: {error}") from None
        cell_px = field.cell_px or UNKNOWN_WIDTH * image.width
        if supervision == "counts":
            field = replace(field, marks=())
        loaded.append(load(field, image, cell_px, config.cell_types, config.input))
        follow(len(loaded))
    visible = {
        group: least_visible([item for item in loaded if item.group == group])
        for group in {item.group for item in loaded}
    }
    return [replace(item, visible=visible[item.group]) for item in loaded]


def batches(
    loaded: Sequence[Loaded], config: BundleConfig, settings: Settings, epoch: int
) -> Iterator[Batch]:
    """Yield one epoch: fields in an order and in views drawn from seed and epoch."""
    rng = np.random.default_rng([settings.seed, epoch])
    settled = _last(settings.settle, epoch, settings.epochs)
    zoom = HARDENED if epoch >= settings.epochs else SETTLED if settled else Zoom()
    augmenter = Augmenter(config.input, zoom, rng)
    order = drawn(loaded, rng)
    types = len(config.cell_types)
    frame = config.input.frame
    shapes = [(frame, frame)] if frame else canvases(config.input)
    if settled:
        shapes = shapes[:1]  # the one that holds a field of a common camera whole
    for start in range(0, len(order) - settings.batch + 1, settings.batch):
        height, width = shapes[int(rng.integers(len(shapes)))]
        views = []
        for index in order[start : start + settings.batch]:
            if not (frame or settled) and rng.random() < settings.mosaic:
                others = [loaded[int(i)] for i in rng.integers(len(loaded), size=3)]
                four = [loaded[int(index)], *others]
                if all((item.marked | ~item.known).all() for item in four):
                    views.append(augmenter.mosaic(four, height, width))
                    continue
            views.append(augmenter.view(loaded[int(index)], height, width))
        yield collate(views, types, STRIDE)


def _last(share: float, epoch: int, epochs: int) -> bool:
    """Whether an epoch belongs to the last share of a training."""
    return epoch >= round(epochs * (1 - share))


def drawn(loaded: Sequence[Loaded], rng: np.random.Generator) -> list[int]:
    """Return as many indices as there are fields: each group as often as the others, whatever its
    size, and each field of a group as often as its others (but for one).

    The fields of a group that lack the count of some type are a group of their own, drawn less
    often: they teach less, and what they lack is nearly always the red cells.
    """
    groups: dict[tuple[str, bool], list[int]] = {}
    for index, item in enumerate(loaded):
        groups.setdefault((item.group, bool(item.known.all())), []).append(index)
    weights = {key: 1.0 if key[1] else PARTLY for key in groups}
    chosen: list[int] = []
    for key, own in sorted(groups.items()):
        share = math.ceil(len(loaded) * weights[key] / sum(weights.values()))
        rounds = [rng.permutation(own) for _ in range(-(-share // len(own)))]
        chosen += np.concatenate(rounds)[:share].tolist()
    return [chosen[int(i)] for i in rng.permutation(len(chosen))[: len(loaded)]]


def canvases(scale: InputConfig) -> list[tuple[int, int]]:
    """Return `CANVASES` at the scale of the net, in multiples of what it asks for."""
    share = scale.cell_px / InputConfig().cell_px / MULTIPLE
    return [(round(h * share) * MULTIPLE, round(w * share) * MULTIPLE) for h, w in CANVASES]


def refuse_unfit(config: NetConfig, settings: Settings) -> None:
    """Refuse settings that do not go with the net, or with each other.

    Raises:
        BadData: they do not.
    """
    if config.head == "fc" and settings.supervision != "counts":
        raise BadData("The head fc knows no places to learn from marks: use --supervision counts.")
    if settings.start and settings.weights != "none":
        raise BadData("Begin with one or the other: --start DIR or --weights imagenet.")
    if config.norm == "frozen" and not settings.start and settings.weights == "none":
        raise BadData(
            "Frozen norms keep what the backbone came with: begin with --start DIR or "
            "--weights imagenet, or use --norm batch."
        )


def begin(net: Counter, config: NetConfig, settings: Settings) -> None:
    """Give the backbone the weights that training begins with.

    Raises:
        BadData: they cannot be used or downloaded, or do not go with the net.
    """
    refuse_unfit(config, settings)
    if settings.start:
        stage1.load_into(net.backbone, config, Path(settings.start))
    elif settings.weights == "imagenet":
        stage1.load_imagenet(net.backbone, config)


def rate_at(step: int, steps: int, peak: float) -> float:
    """Return the learning rate of a step: a linear rise, then half a cosine to 1 % of it."""
    rise = max(1, round(WARM_UP * steps))
    if step < rise:
        return peak * (step + 1) / rise
    share = (step - rise) / max(1, steps - rise)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def make_optimizer(net: nn.Module, rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """Return AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) that pulls weights toward 0, and
    leaves biases and norms alone.
    """
    decayed = [p for p in net.parameters() if p.ndim > 1]
    plain = [p for p in net.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, weight_decay=weight_decay)


def train(
    loaded: Sequence[Loaded],
    config: BundleConfig,
    settings: Settings,
    folder: Path,
    report: Report = print,
    watch: Watch = lambda epoch, net: None,
    check: Check = lambda: None,
) -> Counter:
    """Train a net on loaded fields and return its averaged weights, norms folded.

    Saves a checkpoint in `folder` after each epoch and goes on from it when called again. `watch`
    is called after that with the epochs done and what makes a copy of the net as it would be
    returned now, `check` at each step; both may raise to end the training.

    Raises:
        BadData: the weights to begin with cannot be used, fewer fields than a batch, `folder`
            holds a training with other settings, or the weights run away.
    """
    if len(loaded) < settings.batch:
        raise BadData(f"{len(loaded)} fields are too few to train: a batch has {settings.batch}.")
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    place = device()
    net = Counter(config.net, len(config.cell_types)).channels_last()
    begin(net, config.net, settings)
    net.to(place)
    optimizer = make_optimizer(net, settings.rate, settings.weight_decay)
    average = checkpoint.Average(net, AVERAGE_DECAY)
    weights = type_weights(config.cell_types).to(place)
    stamp = {
        # What does not harden goes on from before there was such a thing.
        **{k: v for k, v in asdict(settings).items() if k != "harden" or v},
        # What lies there, wherever it is called from.
        "start": stage1.identity(Path(settings.start)) if settings.start else "",
        "config": config.to_dict(),
        "fields": {"number": len(loaded), "sha256": _digest(loaded)},
    }
    checkpoint.refuse_other(folder, stamp)
    first = checkpoint.load(folder, net, optimizer, average, stamp)
    per_epoch = len(loaded) // settings.batch
    each = per_epoch * settings.batch
    epochs = settings.epochs + settings.harden
    pace = Pace(epochs * each, "fields", first * each)
    for epoch in range(first, epochs):
        # Backbones that leave parts out by chance (stochastic depth) ask torch's generator.
        drawn_for = np.random.SeedSequence([settings.seed, epoch])
        torch.manual_seed(int(drawn_for.generate_state(1)[0]))
        net.train()
        if _last(settings.still, epoch, settings.epochs):
            for module in net.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        total = 0.0
        for number, batch in enumerate(batches(loaded, config, settings, epoch)):
            check()
            rate = settings.rate_of(epoch * per_epoch + number, per_epoch)
            total += _step(net, batch.to(place), optimizer, rate, weights)
            average.update(net)
        done = epoch + 1
        report(
            f"epoch {done}/{epochs}  loss {total / max(1, per_epoch):.3f}  {pace.told(done * each)}"
        )
        checkpoint.refuse_diverged(total, done)
        checkpoint.save(folder, net, optimizer, average, done, stamp)
        watch(done, lambda: _averaged(net, average))
    return _averaged(net, average)


def _step(
    net: Counter, batch: Batch, optimizer: torch.optim.Optimizer, rate: float, weights: Tensor
) -> float:
    """Learn from one batch, on the net's device; return its loss."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    inputs = batch.inputs.contiguous(memory_format=torch.channels_last)
    with half(net.device):
        output = net(inputs)
    value = loss(output, batch, weights)
    optimizer.zero_grad(set_to_none=True)
    value.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(net.parameters(), CLIP_NORM)
    optimizer.step()
    return float(value.detach())


def _digest(loaded: Sequence[Loaded]) -> str:
    """Return the SHA-256 over all that fields are called and labeled with, in their order."""
    told = [
        (
            *(item.name, item.group, item.cell_px, item.visible, item.image.size),
            *(item.counts.tolist(), item.known.tolist(), item.boxes.tolist()),
        )
        for item in loaded
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _averaged(net: Counter, average: checkpoint.Average) -> Counter:
    """Return a copy of the net with its averaged weights, ready to count."""
    out = copy.deepcopy(net).cpu()
    out.load_state_dict(average.state)
    return out.eval().fold()
