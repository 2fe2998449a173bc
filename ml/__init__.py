"""The regressor: counts blood cells in a picture of a smear field.

Knows pictures and counts, and nothing of the web. Importing this package, `ml.gate`,
`ml.pictures` and `ml.bundle` does not import torch, so that the web process may use them.
"""
