"""Memory of each process of an installation, idle after predictions, against the limits.

    .venv/bin/python -m benchmarks.footprint [--fields 20]

Starts what `make run` starts, in a folder of its own, uploads synthetic fields, waits until all
are predicted and reads /proc. RSS is resident memory; PSS counts shared
pages once over all processes, so only PSS may be added up.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.proc import family, memory
from ml.synthetic import render
from tests.counting.pictures import encoded
from tests.scripts import Script
from tests.stack import Prepared
from tests.waiting import wait_until

MIB = 1024 * 1024
WEB_LIMIT = 150 * MIB
ALL_LIMIT = 1200 * MIB


def main() -> int:
    """Measure, print a table, and return 1 when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fields", type=int, default=20)
    fields = parser.parse_args().fields
    with tempfile.TemporaryDirectory() as folder, Prepared(Path(folder)).copy() as stack:
        stack.start()
        script = Script.sign_in(stack)
        slide = script.new_slide("Footprint")
        began = time.monotonic()
        for seed in range(fields):
            script.upload(slide, encoded(render(seed).image, "JPEG"), f"{seed}.jpg")
        uploaded = time.monotonic() - began
        wait_until(lambda: script.states(slide) == {"predicted": fields}, 300, "all predictions")
        predicted = time.monotonic() - began
        rows = {name: memory(family(child.process.pid)) for name, child in stack.children.items()}
    print(f"{fields} fields uploaded in {uploaded:.1f} s, all predicted after {predicted:.1f} s")
    print(f"{'process':<12}{'RSS MiB':>10}{'PSS MiB':>10}")
    for name, (rss, pss) in rows.items():
        print(f"{name:<12}{rss / MIB:>10.0f}{pss / MIB:>10.0f}")
    total = sum(pss for _, pss in rows.values())
    print(f"{'together':<12}{'':>10}{total / MIB:>10.0f}")
    web = rows["web"][0]
    print(f"web process under {WEB_LIMIT // MIB} MiB: {'yes' if web < WEB_LIMIT else 'NO'}")
    print(f"together under {ALL_LIMIT // MIB} MiB: {'yes' if total < ALL_LIMIT else 'NO'}")
    return int(web >= WEB_LIMIT or total >= ALL_LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
