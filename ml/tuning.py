"""Train the late half of the net on cached features: a study's own and the base's, mixed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml import checkpoint
from ml.nets import Counter
from ml.optics import Floats
from ml.processor import device, half
from ml.replay import Example
from ml.targets import Batch, loss, mark_map, type_weights
from ml.train import rate_at

# As in `ml.train.Settings`.
BATCH = 8
# Share of epochs in which only the head learns: a new head on old features first, then the
# features, keeps more of what they know (arXiv 2202.10054).
# The share was chosen by hand.
PROBE_SHARE = 0.2
# Peak rates of the head while it learns alone, and of all. A new type's output comes from nothing
# and moves fast (chosen by hand); what is known already is better off with a third or less of that
# (docs/training.md, "Learning from few fields").
NEW_RATES = (3e-3, 6e-4)
KNOWN_RATES = (6e-4, 2e-4)
WEIGHT_DECAY = 1e-3
# About the last 50 steps, 1 / (1 - decay): a tuning has some hundred.
AVERAGE_DECAY = 0.98
CLIP_NORM = 5.0
# Examples of the study in an epoch at least (few fields are shown in several views), and of the
# base at least and for each of the study's. Chosen by hand: some eight batches of the one, six of
# the other.
LEAST_OWN = 64
REPLAY_LEAST = 48
REPLAY_SHARE = 0.75


@dataclass(frozen=True)
class Own:
    """A field of the study: its views as features, the first one plain."""

    views: list[Example]
    group: str


@dataclass(frozen=True)
class Task:
    """What to learn from and how long; `folder` keeps the checkpoint, `stamp` tells one apart.

    The first `kept` types are not learned: their counts stay as they are, whatever the others do.
    `new`: whether a type has been learned by nobody before.
    """

    own: Sequence[Own]
    replay: Sequence[Example]
    types: tuple[str, ...]
    epochs: int
    seed: int
    folder: Path
    stamp: dict[str, Any]
    kept: int = 0
    new: bool = False


def empty_slide(net: Counter) -> Tensor:
    """Return the early features [c] of an empty slide, which fields are padded with."""
    with torch.inference_mode():
        early = net.backbone.early(torch.zeros(1, 3, 128, 128))
        middle = early[0, :, early.shape[2] // 2, early.shape[3] // 2]
    return middle.clone()


def collate(examples: Sequence[Example], pad: Tensor) -> Batch:
    """Make a batch; smaller fields are laid on empty slide."""
    height = max(e.features.shape[1] for e in examples)
    width = max(e.features.shape[2] for e in examples)
    # The net halves once more: both sides must be even.
    height, width = height + height % 2, width + width % 2
    types = len(examples[0].counts)
    inputs = pad[None, :, None, None].repeat(len(examples), 1, height, width)
    for row, example in zip(inputs, examples, strict=True):
        _, h, w = example.features.shape
        row[:, :h, :w] = torch.from_numpy(example.features).float()
    maps = [mark_map(e.points, types, height, width, 1) for e in examples]
    return Batch(
        inputs=inputs.contiguous(memory_format=torch.channels_last),
        maps=torch.from_numpy(np.stack(maps)),
        counts=torch.from_numpy(np.stack([e.counts for e in examples])),
        known=torch.from_numpy(np.stack([e.known for e in examples])).float(),
        marked=torch.from_numpy(np.stack([e.marked for e in examples])).float(),
        log_scale=torch.tensor([e.log_scale for e in examples], dtype=torch.float32),
    )


def batches(task: Task, pad: Tensor, epoch: int) -> Iterator[Batch]:
    """Yield one epoch of the study's examples (a random view each) mixed with replay."""
    rng = np.random.default_rng([task.seed, epoch])
    times = max(1, -(-LEAST_OWN // len(task.own)))
    chosen = [
        own.views[int(rng.integers(len(own.views)))] for own in task.own for _ in range(times)
    ]
    share = max(REPLAY_LEAST, round(REPLAY_SHARE * len(chosen)))
    if task.replay:
        picked = rng.permutation(len(task.replay))[:share]
        chosen += [task.replay[int(i)] for i in picked]
    order = rng.permutation(len(chosen))
    for start in range(0, len(order), BATCH):
        yield collate([chosen[int(i)] for i in order[start : start + BATCH]], pad)


def tune(net: Counter, task: Task, tell: Callable[[float], None]) -> None:
    """Train `net` (norms folded) in place; `tell` hears the share done and may raise to end it.

    Saves a checkpoint after each epoch and goes on from it when called again with the same stamp.
    The early half stays as it is; the net is on the processor before and after.
    """
    torch.manual_seed(task.seed)
    place, pad = device(), empty_slide(net)
    learner = _Late(net.to(place))
    for parameter in net.backbone.parameters():
        parameter.requires_grad_(False)
    for parameter in learner.parameters():
        parameter.requires_grad_(True)
    weights = type_weights(task.types).to(place)
    probe_epochs = max(1, round(PROBE_SHARE * task.epochs)) if task.epochs > 1 else 0
    if task.kept:
        # Features are shared by all types: where some are to stay, only the others' outputs learn.
        probe_epochs = task.epochs
        for parameter in net.head.parameters():
            parameter.requires_grad_(any(parameter is p for p in net.head.cells.parameters()))
    head = list(net.head.parameters())
    body = [p for module in learner.body for p in module.parameters()]
    groups: list[dict[str, Any]] = [{"params": head}, {"params": body}]
    decay = 0.0 if task.kept else WEIGHT_DECAY
    probe_rate, peak = NEW_RATES if task.new else KNOWN_RATES
    optimizer = torch.optim.AdamW(groups, lr=peak, weight_decay=decay)
    average = checkpoint.Average(learner, AVERAGE_DECAY)
    first = checkpoint.load(task.folder, learner, optimizer, average, task.stamp)
    for epoch in range(first, task.epochs):
        if epoch < probe_epochs:
            rates = (probe_rate, 0.0)
        else:
            rate = rate_at(epoch - probe_epochs, task.epochs - probe_epochs, peak)
            rates = (rate, rate)
        for group, value in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = value
        for parameter in body:
            # What does not learn needs no gradient: the head alone takes half the time.
            parameter.requires_grad_(epoch >= probe_epochs)
        everything = list(batches(task, pad, epoch))
        for number, batch in enumerate(everything):
            batch = batch.to(place)
            with half(place):
                output = net.late(batch.inputs)
            error = loss(output, batch, weights)
            optimizer.zero_grad(set_to_none=True)
            error.backward()  # type: ignore[no-untyped-call]
            for parameter in net.head.cells.parameters():
                assert parameter.grad is not None
                parameter.grad[: task.kept] = 0.0
            nn.utils.clip_grad_norm_(learner.parameters(), CLIP_NORM)
            optimizer.step()
            average.update(learner)
            tell((epoch + (number + 1) / len(everything)) / task.epochs)
        checkpoint.save(task.folder, learner, optimizer, average, epoch + 1, task.stamp)
    learner.load_state_dict(average.state)
    net.cpu()


def blend(before: Counter, after: Counter, share: float) -> Counter:
    """Return a net whose weights lie `share` of the way from `before` to `after`, which was tuned
    from it (Wortsman et al. 2022, arXiv 2109.01903).
    """
    out, start = copy.deepcopy(after), before.state_dict()
    out.load_state_dict(
        {
            name: torch.lerp(start[name], value, share) if value.is_floating_point() else value
            for name, value in after.state_dict().items()
        }
    )
    return out


class _Late(nn.Module):
    """The parts of a net that fine-tuning changes, as a module of their own."""

    def __init__(self, net: Counter) -> None:
        super().__init__()
        self.head = net.head
        self.body = nn.ModuleList(net.backbone.late_parts())


@torch.inference_mode()
def count_maps(net: Counter, examples: Sequence[Example]) -> list[Floats]:
    """Return the maps [types, h, w] of each example."""
    pad = empty_slide(net)
    return [net.late(collate([one], pad).inputs).maps[0].numpy() for one in examples]
