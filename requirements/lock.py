"""Turn requirements/*.in into requirements/*.txt: every package with its exact version.

Run by `make lock`. Two things are left out on purpose. Hashes, because the build of PyTorch
(CPU or CUDA) differs between machines under one version number. And the packages that only one
of those builds brings along (CUDA libraries, Triton), for the same reason.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD_SPECIFIC = ("nvidia-", "cuda-", "triton")


def resolve(*sources: str) -> dict[str, str]:
    """Ask pip which versions satisfy the given .in files together, without installing them."""
    arguments = [argument for source in sources for argument in ("-r", str(HERE / source))]
    report = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"),
            *("--ignore-installed", "--report", "-", *arguments),
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = {}
    for item in json.loads(report.stdout)["install"]:
        name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
        if not name.startswith(BUILD_SPECIFIC):
            found[name] = item["metadata"]["version"].split("+")[0]
    return found


def write(target: str, pins: dict[str, str], note: str) -> None:
    """Write one lock file, sorted by name."""
    lines = [f"# Made by `make lock` from {note}. Do not edit.\n"]
    lines += [f"{name}=={pins[name]}\n" for name in sorted(pins)]
    (HERE / target).write_text("".join(lines))
    print(f"{target}: {len(pins)} packages")


def main() -> None:
    """Resolve the three sets; what the tests add is what run time does not already bring."""
    runtime = resolve("runtime.in")
    both = resolve("runtime.in", "test.in")
    moved = {name for name in runtime if both[name] != runtime[name]}
    if moved:
        sys.exit(f"The test requirements change run-time versions: {', '.join(sorted(moved))}.")
    write("runtime.txt", runtime, "runtime.in")
    write("test.txt", {n: v for n, v in both.items() if n not in runtime}, "test.in")
    write("build.txt", resolve("build.in"), "build.in")


if __name__ == "__main__":
    main()
