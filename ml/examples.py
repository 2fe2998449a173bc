"""Fields as the early half of a net sees them: for replay, fine-tuning and novelty."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ml.augment import Augmenter, Loaded
from ml.look import pooled, to_input
from ml.nets import STRIDE, Counter
from ml.replay import Example

Seen = NDArray[np.float64]


@torch.inference_mode()
def early_example(
    net: Counter, augmenter: Augmenter, item: Loaded, *, plain: bool
) -> tuple[Example, Seen]:
    """Return a view of a whole field as early features, and what novelty is judged by ([d])."""
    view = augmenter.whole(item, plain=plain)
    early = net.backbone.early(to_input([view.picture]).to(net.device))
    rows, columns = (-(-side // STRIDE) for side in view.picture.shape[:2])
    points = view.points.copy()
    points[:, 1:] /= STRIDE
    example = Example(
        np.ascontiguousarray(early[0].to(torch.float16).cpu().numpy()),
        points,
        view.counts,
        view.known,
        view.marked,
        view.log_scale,
    )
    places = None
    if view.circle is not None:
        places = view.circle.inside(rows, columns, view.picture.shape[1] / STRIDE)
    return example, pooled(early[:, :, :rows, :columns], places)[0]
