"""The shipped counter beside YOLO11n, net against net, on the same pictures in the same run.

    python -m venv ENV
    ENV/bin/pip install -r requirements/runtime.txt -r benchmarks/requirements.txt
    ENV/bin/python -m benchmarks.yolo [--threads 2] [--seconds 3]

YOLO11n is built from the description that comes with ultralytics, with random weights (they do
not change the time) and its layers fused, as its makers do before they count. It sees a field of
640 x 480 as it is; its boxes are not even sorted out here, which would take it longer. The
counter sees the same field at the scale it works at. Both take turns, so that what else runs on
the computer slows both.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from functools import partial

import torch
from torch import Tensor, nn

from ml.bench import HEIGHT, WIDTH, rounds
from ml.bundle import BASE
from ml.look import look, to_input
from ml.optics import density
from ml.predict import Predictor
from ml.synthetic import render

BATCHES = (1, 4, 8)
TURNS = 3


def main() -> int:
    """Print fields per second of both and how many times faster the counter is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each rate, at least")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    nets = {"YOLO11n, fused": yolo(), "HemaTally": counter()}
    rates: dict[str, dict[int, float]] = {name: dict.fromkeys(BATCHES, 0.0) for name in nets}
    for batch in BATCHES:
        for _ in range(TURNS):
            for name, (net, one) in nets.items():
                inputs = one.repeat(batch, 1, 1, 1).contiguous(memory_format=torch.channels_last)
                fastest = min(rounds(partial(forward, net, inputs), options.seconds / TURNS))
                rates[name][batch] = max(rates[name][batch], batch / fastest)
    print(f"fields/s of {WIDTH} x {HEIGHT}, net only, {options.threads} thread(s)")
    for name, told in rates.items():
        best = max(told, key=lambda batch: told[batch])
        print(f"{name:16}one at a time {told[1]:7.1f}   best batch {told[best]:7.1f} ({best})")
    theirs, ours = (rates[name] for name in nets)
    print(
        f"times as fast: {ours[1] / theirs[1]:.1f} one at a time, "
        f"{max(ours.values()) / max(theirs.values()):.1f} in the best batch"
    )
    return 0


@torch.inference_mode()
def forward(net: nn.Module, inputs: Tensor) -> None:
    """Let a net look at pictures."""
    net(inputs)


def yolo() -> tuple[nn.Module, Tensor]:
    """Return YOLO11n and a field as it sees one."""
    # Its settings go to a folder that is thrown away, and it asks nothing of the network.
    os.environ["YOLO_CONFIG_DIR"] = tempfile.mkdtemp(prefix="yolo-")
    os.environ["YOLO_OFFLINE"] = "true"
    from ml import vision  # before torchvision: lets it load beside a CPU build of torch

    assert vision.models
    from ultralytics import YOLO

    net = YOLO("yolo11n.yaml", task="detect", verbose=False).model.fuse(verbose=False).eval()
    return net.to(memory_format=torch.channels_last), torch.rand(1, 3, HEIGHT, WIDTH)


def counter() -> tuple[nn.Module, Tensor]:
    """Return the shipped counter and a field as it sees one."""
    predictor = Predictor(BASE)
    config = predictor.bundle.config
    work = predictor.prepare(render(0, width=WIDTH, height=HEIGHT, cell_px=104.0).image, None)
    look(predictor.net, [work], config)
    return predictor.net, to_input([density(work.pixels, work.light, config.input)])


if __name__ == "__main__":
    raise SystemExit(main())
