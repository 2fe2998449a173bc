"""Fixtures for every test."""

from __future__ import annotations

from tests.stack import module_stack, prepared, stack_factory

__all__ = ["module_stack", "prepared", "stack_factory"]
