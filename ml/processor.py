"""What this computer's processor does well."""

from __future__ import annotations

import torch


def half() -> torch.autocast:
    """Return a context in which convolutions run in bfloat16 where that is faster.

    Processors without instructions for it would emulate bfloat16, slower than plain floats.
    """
    able = bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=able)
