"""torchvision, in a way that also works beside a CPU build of torch: import it from here only.

Where torch is a CPU build and torchvision's wheel is not, torchvision's compiled operators cannot
be loaded, and `import torchvision` fails while it describes them. Backbones, transforms and
weights need none of them, so that a declaration of the two it asks for is enough.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch

# Described in torchvision/_meta_registrations.py, which is run at import.
DESCRIBED = ("nms", "qnms")
# Kept for the life of the process: with the object the declarations would go.
_declared: list[Any] = []


def _declare() -> None:
    spec = importlib.util.find_spec("torchvision")
    assert spec is not None
    assert spec.origin is not None
    try:
        torch.ops.load_library(Path(spec.origin).with_name("_C.so"))  # type: ignore[no-untyped-call]
    except OSError:
        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for name in DESCRIBED:
            schema = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            library.define(schema)  # type: ignore[no-untyped-call]
        _declared.append(library)


_declare()

from torchvision import models  # noqa: E402
from torchvision.transforms import v2 as transforms  # noqa: E402

__all__ = ["models", "transforms"]
