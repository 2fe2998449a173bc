"""The regressor: counts blood cells in a picture of a smear field.

Knows pictures and counts, and nothing of the web. Importing this package, `ml.gate`,
`ml.pictures` and `ml.bundle` does not import torch, so that the web process may use them.

Where to read: stage 1 (cells told apart) `pretrain`, `crops`, `stage1`; stage 2 (whole fields
counted) `train`, `augment`, `targets`, and `base`, which makes the shipped bundle with them; stage
3 (a study's counts) `finetune`, `tuning`, `replay`, `examples`. Nets: `nets`, `backbones`
(torchvision's), `heads`. A picture's way to counts: `pictures`, `surround` (of a round field),
`optics`, `look`, `search` (how wide cells are), `peaks`, `calibrate` (intervals, novelty),
`quality`, `predict`, shared out among threads by `crew`. The bundle: `bundle`, `config`, `card`.
Judging: `metrics`, `evaluate`, `gate`; the ablation: `ablation`, `reproduce`, `results`, `report`,
`plots`; speed: `bench`. Commands: `__main__`, `arguments`.
Drawn smears for tests: `synthetic` and what begins so.
"""
