"""Wait for a state, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Seconds between looks. Short: it bounds what a wait costs beyond the thing it waits for.
LOOK_EVERY = 0.05


def wait_until(condition: Callable[[], T], timeout: float, what: str) -> T:
    """Return the condition's first true value; fail with the words in `what` after `timeout` s."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:.0f} s in vain for: {what}")
        time.sleep(LOOK_EVERY)
