"""`python -m ml`: predict, evaluate, pretrain, train, recalibrate, finetune, reproduce, bench.

Calls what the options (`ml.arguments`) ask for; torch is imported when needed.

Exit status: 0 done, 2 bad input (one sentence on stderr), 3 ended by SIGTERM, 130 by Ctrl+C.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.arguments import net_of, parser, shown
from ml.bundle import BadBundle
from ml.config import BundleConfig
from ml.data import BadData
from ml.pictures import BadPicture

if TYPE_CHECKING:
    from ml.predict import FieldPrediction

BAD_INPUT, INTERRUPTED = 2, 130
ENDED = "Ended. Started again with the same folder, it goes on from the last whole epoch."


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
    except BadPicture as error:
        print(f"{error.file}: {error}" if error.file else error, file=sys.stderr)
    except (BadBundle, BadData, ValueError) as error:
        print(error, file=sys.stderr)
    except OSError as error:
        name = f" {error.filename}" if error.filename else ""
        print(f"Cannot use{name}: {error.strerror or error}.", file=sys.stderr)
    except KeyboardInterrupt:
        print("Ended.", file=sys.stderr)
        return INTERRUPTED
    return BAD_INPUT


def _predict(options: argparse.Namespace) -> int:
    from ml.evaluate import CHUNK
    from ml.predict import Predictor
    from ml.progress import Follower

    predictor = Predictor(options.bundle, options.threads, options.device)
    images = options.images
    rows: list[dict[str, Any]] = []
    follow = Follower(_aside, "Counted", len(images), "pictures")
    try:
        for start in range(0, len(images), CHUNK):
            paths = images[start : start + CHUNK]
            told = predictor.predict(paths, [options.microns_per_pixel] * len(paths))
            for path, field in zip(paths, told, strict=True):
                if options.json:
                    rows.append({"image": str(path), **field.to_dict()})
                else:
                    print(_in_words(path, field), flush=True)
            if options.json:
                follow(start + len(paths))
    finally:
        if rows:  # also what was counted before a picture that cannot be opened
            print(json.dumps(rows, indent=2))
    return 0


def _in_words(path: Path, field: FieldPrediction) -> str:
    from ml.quality import FAULTS

    counts = [f"{code} {c.value} ({c.low} to {c.high})" for code, c in field.counts.items()]
    doubts = ["This does not look like what the model learned from."] if field.novel else []
    faults = (FAULTS[fault] for fault in field.quality.faults)
    return " ".join([f"{path}: {', '.join(counts)}.", *doubts, *faults])


def _aside(line: str) -> None:
    """Tell how far the work is, beside its result on standard output."""
    print(line, file=sys.stderr, flush=True)


def _evaluate(options: argparse.Namespace) -> int:
    from ml import evaluate
    from ml.files import write_bytes
    from ml.predict import Predictor
    from ml.progress import Follower

    if options.fields and options.fields.resolve() == options.counts.resolve():
        raise BadData(f"{options.fields} holds the counts to judge by. Name another file.")
    if options.fields:  # rather refused now than after counting
        if options.fields.is_dir():
            raise BadData(f"Cannot use {options.fields}: Is a directory.")
        options.fields.parent.mkdir(parents=True, exist_ok=True)
    predictor = Predictor(options.bundle, options.threads, options.device)
    types = predictor.bundle.config.cell_types
    truths = evaluate.read_truth(
        options.images,
        options.counts,
        types,
        split=options.split,
        source=options.source,
    )
    follow = Follower(_aside, "Counted", len(truths), "pictures")
    answers = evaluate.tell(predictor, truths, follow)
    if options.fields:
        told = evaluate.fields_csv(truths, answers)
        write_bytes(options.fields, told.encode())
    scores = evaluate.assess(truths, answers, types)
    print(json.dumps(scores, indent=2) if options.json else evaluate.table(scores))
    return 0


def _pretrain(options: argparse.Namespace) -> int:
    from ml.progress import CANCELLED, Cancelled, Reporter

    reporter = Reporter()
    reporter.listen()
    from ml.pretrain import Settings, pretrain

    net, scale = net_of(options)
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
        print(ENDED)
        return CANCELLED
    print(f"Wrote {options.out / 'backbone'}")
    return 0


def _train(options: argparse.Namespace) -> int:
    from ml.progress import CANCELLED, Cancelled, Reporter

    reporter = Reporter()
    reporter.listen()
    from ml.base import Plan, make
    from ml.train import Settings

    net, scale = net_of(options, options.head)
    threads = options.threads or 1
    settings = Settings(
        epochs=options.epochs,
        harden=options.epochs // 6 if options.harden is None else options.harden,
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
        command=shown(options, threads),
        config=BundleConfig(net=net, input=scale, placed=options.supervision == "marks"),
        limit=options.limit_fields,
        seeds=options.seeds,
        folds=options.folds,
    )
    try:
        make(plan, lambda line: print(line, flush=True), reporter.check)
    except Cancelled:
        print(ENDED)
        return CANCELLED
    print(f"Wrote {options.out / 'bundle'}")
    return 0


def _recalibrate(options: argparse.Namespace) -> int:
    import torch

    from ml.recalibrate import recalibrate

    torch.set_num_threads(options.threads or 1)
    recalibrate(options.bundle, options.data, options.out, lambda line: print(line, flush=True))
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
