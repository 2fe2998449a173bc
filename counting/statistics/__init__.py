"""The statistics of counting. Plain Python on plain numbers: no Django, no numpy, no model.

Each function names the paper or standard of its formula; docs/statistics.md lists them, and the
tests hold each to a published worked example.
"""
