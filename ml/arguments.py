"""What `python -m ml` takes: the commands, their options, and what options mean together."""

from __future__ import annotations

import argparse
import math
import shlex
from dataclasses import replace
from pathlib import Path

from ml.bundle import BASE
from ml.config import FRAME, LEAST_CELL_PX, NORMS, InputConfig, NetConfig


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    main = argparse.ArgumentParser(prog="python -m ml", description="Count cells in smear fields.")
    commands = main.add_subparsers(dest="command", required=True)
    for name, words, add_options in COMMANDS:
        command = commands.add_parser(name, help=words, description=words)
        command.add_argument("--threads", type=_positive, default=None, help="processor threads")
        add_options(command)
    return main


def _add_predict(command: argparse.ArgumentParser) -> None:
    command.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    command.add_argument("--microns-per-pixel", type=float, default=None)
    command.add_argument("--json", action="store_true", help="write JSON")
    _add_bundle(command)
    _add_device(command)


def _add_evaluate(command: argparse.ArgumentParser) -> None:
    command.add_argument("--images", type=Path, required=True, metavar="DIR")
    command.add_argument("--counts", type=Path, required=True, metavar="FILE.csv")
    command.add_argument("--split", default="", help="only rows with this value of split")
    command.add_argument("--source", default="", help="only rows with this value of source")
    command.add_argument(
        "--fields", type=Path, default=None, metavar="OUT.csv", help="write each field's counts"
    )
    command.add_argument("--json", action="store_true", help="write JSON")
    _add_bundle(command)
    _add_device(command)


def _add_pretrain(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, required=True, metavar="DIR")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    _add_net(command)
    command.add_argument("--epochs", type=_positive, default=7)
    command.add_argument(
        "--policy",
        default="imagenet",
        help="an AutoAugment policy (imagenet, cifar10, svhn), rand, trivial or none",
    )
    command.add_argument(
        "--crop-cell-px", type=_above_zero, default=None, help="width of a red cell in the crops"
    )
    command.add_argument("--limit", type=_positive, default=None, help="crops to learn from")
    command.add_argument(
        "--credit", default="", help="whose crops they are and under which license, for the card"
    )
    command.add_argument("--seed", type=_whole, default=0)
    command.add_argument(
        "--deterministic", action="store_true", help="refuse operations that may vary"
    )


def _add_train(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, required=True, metavar="DIR")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--epochs", type=_positive, default=60)
    command.add_argument(
        "--harden",
        type=_whole,
        default=None,
        help="epochs after these in poor focus and light too; default: a sixth of --epochs",
    )
    command.add_argument("--fold-epochs", type=_positive, default=None, help="default: --epochs")
    command.add_argument(
        "--folds",
        type=int,
        choices=range(1, 6),
        default=1,
        help="fifths of the fields held out in turn, to tell how far to trust the counts",
    )
    command.add_argument("--seed", type=_whole, default=0)
    command.add_argument(
        "--seeds", type=_positive, default=1, help="trainings; the first is the bundle"
    )
    _add_net(command)
    command.add_argument("--head", choices=("map", "fc"), default="map")
    command.add_argument("--supervision", choices=("marks", "counts"), default="marks")
    command.add_argument(
        "--start", type=Path, default=None, metavar="DIR", help="of pretrain's --out"
    )
    command.add_argument(
        "--limit-fields", type=_positive, default=None, help="fields to learn from"
    )


def _add_recalibrate(command: argparse.ArgumentParser) -> None:
    _add_bundle(command)
    command.add_argument("--data", type=Path, required=True, metavar="DIR")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")


def _add_reproduce(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, required=True, metavar="DIR")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--only", action="append", default=[], help="pieces named so; repeatable")
    command.add_argument("--jobs", type=_positive, default=2, help="pieces at a time")
    command.add_argument("--quick", action="store_true", help="tiny sizes, to see that it works")


def _add_finetune(command: argparse.ArgumentParser) -> None:
    _add_bundle(command)
    command.add_argument("--manifest", type=Path, required=True, metavar="FILE.json")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--epochs", type=_positive, default=None)
    command.add_argument("--seed", type=_whole, default=0)


def _add_bench(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--images", type=Path, default=None, metavar="DIR", help="JPEG files to use"
    )
    command.add_argument("--fields", type=_positive, default=16, help="fields, drawn or of DIR")
    command.add_argument("--seconds", type=float, default=1.0, help="for each rate, at least")
    command.add_argument("--json", action="store_true", help="write JSON")
    _add_bundle(command)


def _add_bundle(command: argparse.ArgumentParser) -> None:
    command.add_argument("--bundle", type=Path, default=BASE, help="model bundle (folder)")


def _add_device(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", choices=("cpu", "cuda"), default="cpu")


def _add_net(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--backbone", default="hemanet", help="hemanet or one of torchvision's, such as resnet18"
    )
    command.add_argument("--norm", choices=NORMS, default="batch", help="how to normalize features")
    command.add_argument("--weights", choices=("none", "imagenet"), default="none")
    command.add_argument(
        "--cell-px", type=_cell_px, default=None, help="red cells' width in the net"
    )


# The commands, what they do, and what adds their options.
COMMANDS = (
    ("predict", "Count in pictures", _add_predict),
    ("evaluate", "Compare with counts made by people", _add_evaluate),
    (
        "pretrain",
        "Teach a backbone to tell cells apart, from class folders of crops",
        _add_pretrain,
    ),
    ("train", "Make a bundle from a folder with fields.csv and boxes.csv", _add_train),
    ("recalibrate", "Fit anew what a bundle calls unlike its training data", _add_recalibrate),
    (
        "reproduce",
        "Make the ablation's table: what stage 1, heads and marks change",
        _add_reproduce,
    ),
    ("finetune", "Learn from a study's counts, and judge what came out", _add_finetune),
    ("bench", "Measure how fast a bundle counts here", _add_bench),
)


def net_of(options: argparse.Namespace, head: str = "map") -> tuple[NetConfig, InputConfig]:
    """Return the net and its input that the options ask for."""
    net = NetConfig(name=options.backbone, head=head, norm=options.norm)
    scale = InputConfig(frame=FRAME if head == "fc" else None)
    return net, scale if options.cell_px is None else replace(scale, cell_px=options.cell_px)


def _positive(text: str) -> int:
    return _whole(text, least=1)


def _whole(text: str, least: int = 0) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"must be a whole number of {least} or more, not {text}")
    return int(text)


def _above_zero(text: str) -> float:
    value = _number(text)
    if not (value > 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text}")
    return value


def _cell_px(text: str) -> float:
    value = _number(text)
    if not (value >= LEAST_CELL_PX and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"must be {LEAST_CELL_PX:g} pixels or more, not {text}")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def shown(options: argparse.Namespace, threads: int) -> str:
    """Return the command for the model card, without this computer's paths."""
    words = ["python", "-m", "ml", "train", "--data", "DATA", "--out", "OUT"]
    words += ["--epochs", str(options.epochs), "--seed", str(options.seed)]
    words += ["--threads", str(threads)]
    plain = parser().parse_args(["train", "--data", "DATA", "--out", "OUT"])
    told = ["harden", "fold_epochs", "backbone", "head", "norm", "weights", "cell_px"]
    told += ["supervision", "limit_fields", "folds", "seeds"]
    for name in told:
        value = getattr(options, name)
        if value != getattr(plain, name):
            told_as = f"{value:g}" if isinstance(value, float) else str(value)
            words += [f"--{name.replace('_', '-')}", told_as]
    if options.start is not None:
        words += ["--start", "STAGE1"]
    return shlex.join(words)
