"""What this computer has to compute with, and what that does well."""

from __future__ import annotations

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
