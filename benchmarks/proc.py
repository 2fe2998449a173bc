"""What Linux says about processes."""

from __future__ import annotations

from pathlib import Path


def family(pid: int) -> list[int]:
    """Return a process and all that it started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


def memory(pids: list[int]) -> tuple[int, int]:
    """Return bytes: the resident memory of the largest process, and the PSS of all together."""
    sizes = []
    total = 0
    for pid in pids:
        entries = dict(
            line.split(":", 1)
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        )
        sizes.append(int(entries["Rss"].split()[0]) * 1024)
        total += int(entries["Pss"].split()[0]) * 1024
    return max(sizes), total
