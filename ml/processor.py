"""What this computer has to compute with, and what that does well."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from ml.data import BadData


def device() -> torch.device:
    """Return where nets are trained: a GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def asked(name: str) -> torch.device:
    """Return the device "cpu" or "cuda" to count on, in floats of full width on either.

    Raises:
        BadData: there is no such device here.
    """
    if name == "cuda":
        if not torch.cuda.is_available():
            raise BadData("PyTorch finds no CUDA device here. Use --device cpu.")
        # A count should not depend on the device; TF32 keeps 10 of a float's 23 bits.
        torch.backends.cudnn.allow_tf32 = False
    return torch.device(name)


def half(place: torch.device) -> torch.autocast:
    """Return a context in which convolutions run in bfloat16 where that is faster on a device.

    Devices without instructions for it would emulate bfloat16, slower than plain floats.
    """
    if place.type == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    return torch.autocast(place.type, dtype=torch.bfloat16, enabled=able)


def repeatable(wanted: bool) -> None:
    """Let torch refuse operations whose results may vary from run to run."""
    if wanted:
        # Without it cuBLAS's sums vary (PyTorch's note on reproducibility).
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(wanted)


def name() -> str:
    """Return what the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
