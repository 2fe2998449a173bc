"""`python -m ml`: predict, evaluate, pretrain, train, recalibrate, finetune, reproduce, bench.

Parses only; torch is imported when needed.

Exit status: 0 done, 2 bad input (one sentence on stderr), 3 ended by SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ml.bundle import BASE, BadBundle
from ml.config import FRAME, NORMS, BundleConfig, InputConfig, NetConfig
from ml.data import BadData
from ml.pictures import BadPicture

BAD_INPUT = 2


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    main = argparse.ArgumentParser(prog="python -m ml", description="Count cells in smear fields.")
    commands = main.add_subparsers(dest="command", required=True)

    def add(name: str, words: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=words, description=words)
        command.add_argument("--threads", type=_positive, default=None, help="processor threads")
        return command

    def add_bundle(command: argparse.ArgumentParser) -> None:
        command.add_argument("--bundle", type=Path, default=BASE, help="model bundle (folder)")

    predict = add("predict", "Count in pictures")
    predict.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    predict.add_argument("--microns-per-pixel", type=float, default=None)
    predict.add_argument("--json", action="store_true", help="write JSON")
    add_bundle(predict)

    evaluate = add("evaluate", "Compare with counts made by people")
    evaluate.add_argument("--images", type=Path, required=True, metavar="DIR")
    evaluate.add_argument("--counts", type=Path, required=True, metavar="FILE.csv")
    evaluate.add_argument("--split", default="", help="only rows with this value of split")
    evaluate.add_argument("--source", default="", help="only rows with this value of source")
    evaluate.add_argument("--json", action="store_true", help="write JSON")
    add_bundle(evaluate)

    pretrain = add("pretrain", "Teach a backbone to tell cells apart, from class folders of crops")
    pretrain.add_argument("--data", type=Path, required=True, metavar="DIR")
    pretrain.add_argument("--out", type=Path, required=True, metavar="DIR")
    _add_net(pretrain)
    pretrain.add_argument("--epochs", type=_positive, default=7)
    pretrain.add_argument(
        "--policy",
        default="imagenet",
        help="an AutoAugment policy (imagenet, cifar10, svhn), rand, trivial or none",
    )
    pretrain.add_argument(
        "--crop-cell-px", type=float, default=None, help="width of a red cell in the crops"
    )
    pretrain.add_argument("--limit", type=_positive, default=None, help="crops to learn from")
    pretrain.add_argument(
        "--credit", default="", help="whose crops they are and under which license, for the card"
    )
    pretrain.add_argument("--seed", type=int, default=0)
    pretrain.add_argument(
        "--deterministic", action="store_true", help="refuse operations that may vary"
    )

    train = add("train", "Make a bundle from a folder with fields.csv and boxes.csv")
    train.add_argument("--data", type=Path, required=True, metavar="DIR")
    train.add_argument("--out", type=Path, required=True, metavar="DIR")
    train.add_argument("--epochs", type=_positive, default=60)
    train.add_argument("--fold-epochs", type=_positive, default=None, help="default: --epochs")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument(
        "--seeds", type=_positive, default=1, help="trainings; the first is the bundle"
    )
    _add_net(train)
    train.add_argument("--head", choices=("map", "fc"), default="map")
    train.add_argument("--supervision", choices=("marks", "counts"), default="marks")
    train.add_argument(
        "--start", type=Path, default=None, metavar="DIR", help="of pretrain's --out"
    )
    train.add_argument("--limit-fields", type=_positive, default=None, help="fields to learn from")

    recalibrate = add("recalibrate", "Fit anew what a bundle calls unlike its training data")
    add_bundle(recalibrate)
    recalibrate.add_argument("--data", type=Path, required=True, metavar="DIR")
    recalibrate.add_argument("--out", type=Path, required=True, metavar="DIR")

    reproduce = add("reproduce", "Make the ablation's table: what stage 1, heads and marks change")
    reproduce.add_argument("--data", type=Path, required=True, metavar="DIR")
    reproduce.add_argument("--out", type=Path, required=True, metavar="DIR")
    reproduce.add_argument(
        "--only", action="append", default=[], help="pieces named so; repeatable"
    )
    reproduce.add_argument("--jobs", type=_positive, default=2, help="pieces at a time")
    reproduce.add_argument("--quick", action="store_true", help="tiny sizes, to see that it works")

    finetune = add("finetune", "Learn from a study's counts, and judge what came out")
    add_bundle(finetune)
    finetune.add_argument("--manifest", type=Path, required=True, metavar="FILE.json")
    finetune.add_argument("--out", type=Path, required=True, metavar="DIR")
    finetune.add_argument("--epochs", type=_positive, default=None)
    finetune.add_argument("--seed", type=int, default=0)

    bench = add("bench", "Measure how fast a bundle counts here")
    _add_bench(bench)
    add_bundle(bench)
    return main


def _add_bench(bench: argparse.ArgumentParser) -> None:
    bench.add_argument("--images", type=Path, default=None, metavar="DIR", help="JPEG files to use")
    bench.add_argument("--fields", type=_positive, default=16, help="fields to draw otherwise")
    bench.add_argument("--seconds", type=float, default=1.0, help="for each rate, at least")
    bench.add_argument("--json", action="store_true", help="write JSON")


def _add_net(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--backbone", default="hemanet", help="hemanet or one of torchvision's, such as resnet18"
    )
    command.add_argument("--norm", choices=NORMS, default="batch", help="how to normalize features")
    command.add_argument("--weights", choices=("none", "imagenet"), default="none")
    command.add_argument("--cell-px", type=float, default=None, help="red cells' width in the net")


def _net(options: argparse.Namespace, head: str = "map") -> tuple[NetConfig, InputConfig]:
    """Return the net and its input that the options ask for."""
    net = NetConfig(name=options.backbone, head=head, norm=options.norm)
    scale = InputConfig(frame=FRAME if head == "fc" else None)
    return net, scale if options.cell_px is None else replace(scale, cell_px=options.cell_px)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status."""
    options = parser().parse_args(arguments)
    run = {
        "predict": _predict,
        "evaluate": _evaluate,
        "pretrain": _pretrain,
        "train": _train,
        "finetune": _finetune,
        "recalibrate": _recalibrate,
        "reproduce": _reproduce,
        "bench": _bench,
    }
    try:
        return run[options.command](options)
    except (BadBundle, BadData, BadPicture, ValueError) as error:
        print(error, file=sys.stderr)
    except OSError as error:
        name = f" {error.filename}" if error.filename else ""
        print(f"Cannot use{name}: {error.strerror or error}.", file=sys.stderr)
    return BAD_INPUT


def _predict(options: argparse.Namespace) -> int:
    from ml import pictures
    from ml.predict import Predictor
    from ml.quality import FAULTS

    opened = []
    for path in options.images:
        try:
            opened.append(pictures.read(path).image)
        except BadPicture as error:
            raise BadData(f"{path}: {error}") from None
    predictor = Predictor(options.bundle, options.threads)
    told = predictor.predict(opened, [options.microns_per_pixel] * len(opened))
    if options.json:
        rows = [
            {"image": str(path), **field.to_dict()}
            for path, field in zip(options.images, told, strict=True)
        ]
        print(json.dumps(rows, indent=2))
        return 0
    for path, field in zip(options.images, told, strict=True):
        counts = ", ".join(
            f"{code} {c.value} ({c.low} to {c.high})" for code, c in field.counts.items()
        )
        doubts = ["This does not look like what the model learned from."] if field.novel else []
        print(
            " ".join(
                [f"{path}: {counts}.", *doubts, *(FAULTS[fault] for fault in field.quality.faults)]
            )
        )
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from ml import evaluate
    from ml.predict import Predictor

    predictor = Predictor(options.bundle, options.threads)
    truths = evaluate.read_truth(
        options.images,
        options.counts,
        predictor.bundle.config.cell_types,
        split=options.split,
        source=options.source,
    )
    scores = evaluate.evaluate(predictor, truths)
    print(json.dumps(scores, indent=2) if options.json else evaluate.table(scores))
    return 0


def _pretrain(options: argparse.Namespace) -> int:
    from ml.progress import CANCELLED, Cancelled, Reporter

    reporter = Reporter()
    reporter.listen()
    from ml.pretrain import Settings, pretrain

    net, scale = _net(options)
    chosen = {
        name: value
        for name in ("crop_cell_px", "limit")
        if (value := getattr(options, name)) is not None
    }
    settings = Settings(
        epochs=options.epochs,
        policy=options.policy,
        weights=options.weights,
        seed=options.seed,
        threads=options.threads or 1,
        deterministic=options.deterministic,
        **chosen,
    )
    try:
        pretrain(
            options.data,
            options.out,
            net,
            scale,
            settings,
            lambda line: print(line, flush=True),
            reporter.check,
            options.credit,
        )
    except Cancelled:
        print("Ended. Started again with the same folder, it goes on from the last whole epoch.")
        return CANCELLED
    print(f"Wrote {options.out / 'backbone'}")
    return 0


def _train(options: argparse.Namespace) -> int:
    from ml.base import Plan, make
    from ml.train import Settings

    net, scale = _net(options, options.head)
    threads = options.threads or 1
    settings = Settings(
        epochs=options.epochs,
        seed=options.seed,
        threads=threads,
        supervision=options.supervision,
        start="" if options.start is None else str(options.start),
        weights=options.weights,
    )
    plan = Plan(
        data=options.data,
        out=options.out,
        settings=settings,
        fold_epochs=options.fold_epochs or options.epochs,
        command=_shown(options, threads),
        config=BundleConfig(net=net, input=scale, placed=options.supervision == "marks"),
        limit=options.limit_fields,
        seeds=options.seeds,
    )
    make(plan, lambda line: print(line, flush=True))
    print(f"Wrote {options.out / 'bundle'}")
    return 0


def _shown(options: argparse.Namespace, threads: int) -> str:
    """Return the command for the model card, without this computer's paths."""
    words = ["python", "-m", "ml", "train", "--data", "DATA", "--out", "OUT"]
    words += ["--epochs", str(options.epochs), "--seed", str(options.seed)]
    words += ["--threads", str(threads)]
    plain = parser().parse_args(["train", "--data", "DATA", "--out", "OUT"])
    told = ["fold_epochs", "backbone", "head", "norm", "weights", "cell_px", "supervision"]
    told += ["limit_fields", "seeds"]
    for name in told:
        if getattr(options, name) != getattr(plain, name):
            words += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    if options.start is not None:
        words += ["--start", "STAGE1"]
    return shlex.join(words)


def _recalibrate(options: argparse.Namespace) -> int:
    import torch

    from ml.recalibrate import recalibrate

    torch.set_num_threads(options.threads or 1)
    recalibrate(options.bundle, options.data, options.out)
    print(f"Wrote {options.out}")
    return 0


def _reproduce(options: argparse.Namespace) -> int:
    from ml.progress import CANCELLED, Cancelled, Reporter

    reporter = Reporter()
    reporter.listen()
    from ml.ablation import Place
    from ml.reproduce import reproduce

    try:
        reproduce(
            Place(options.data, options.out, options.quick),
            only=options.only,
            jobs=options.jobs,
            report=lambda line: print(line, flush=True),
            check=reporter.check,
        )
    except Cancelled:
        print("Ended. Started again with the same folder, it goes on from here.")
        return CANCELLED
    return 0


def _finetune(options: argparse.Namespace) -> int:
    from ml.progress import CANCELLED, Cancelled, Reporter

    reporter = Reporter()
    # Before torch is imported, so that a SIGTERM in these seconds is heard too.
    reporter.listen()
    from ml.finetune import Options, run

    try:
        run(
            Options(
                bundle=options.bundle,
                manifest=options.manifest,
                out=options.out,
                epochs=options.epochs,
                seed=options.seed,
                threads=options.threads or 2,
            ),
            reporter,
        )
    except Cancelled:
        reporter.log("Cancelled. Started again with the same folder, it goes on from here.")
        return CANCELLED
    except (BadBundle, BadData, ValueError) as error:
        reporter.emit("error", message=str(error))
        raise
    return 0


def _bench(options: argparse.Namespace) -> int:
    from ml.bench import bench, table

    if not options.seconds >= 0:
        raise BadData("--seconds must be 0 or more.")
    told = bench(
        options.bundle,
        threads=[options.threads] if options.threads else (1, 2),
        images=options.images,
        fields=options.fields,
        seconds=options.seconds,
    )
    print(json.dumps(told, indent=2) if options.json else table(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
