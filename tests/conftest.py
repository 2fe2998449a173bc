"""Fixtures for every test."""

from __future__ import annotations

from hypothesis import settings

from tests.stack import prepared, stack_factory

__all__ = ["prepared", "stack_factory"]

# How long an example takes is a matter of what else the machine does: it fails no test.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
