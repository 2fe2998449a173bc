"""What this computer has to compute with, and what that does well."""

from __future__ import annotations

import platform
from pathlib import Path

import torch


def device() -> torch.device:
    """Return where nets are trained: a GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def half() -> torch.autocast:
    """Return a context in which convolutions run in bfloat16 where that is faster.

    Processors without instructions for it would emulate bfloat16, slower than plain floats.
    """
    able = bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=able)


def name() -> str:
    """Return what the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
