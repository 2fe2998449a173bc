"""The regressor: counts blood cells in a picture of a smear field.

Knows pictures and counts, and nothing of the web. Importing this package, `ml.gate`,
`ml.pictures` and `ml.bundle` does not import torch, so that the web process may use them.

Where to read: stage 1 (cells told apart) `pretrain`, `crops`, `stage1`; stage 2 (whole fields
counted) `train`, `augment`, `targets`, `base`; stage 3 (a study's counts) `finetune`, `tuning`,
`replay`. Nets: `nets`, `backbones`. A picture's way to counts: `pictures`, `optics`, `predict`,
`calibrate`, `peaks`. Judging: `metrics`, `evaluate`, `gate`; the ablation: `ablation`, `reproduce`,
`results`, `report`, `plots`.
"""
