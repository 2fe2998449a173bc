"""JSON lines to whoever started a long command, and its wish to end it. No torch here."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TextIO

CANCELLED = 3
# Seconds between two progress lines: one epoch of few fields takes less.
LEAST_PAUSE = 0.5
# Seconds between two lines about a work that many items go through.
TELL_EVERY = 5.0


class Cancelled(Exception):
    """SIGTERM came; the command ends at the next safe point."""


class Reporter:
    """Writes events as JSON lines and knows whether to go on."""

    def __init__(self, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic):
        self._out = out
        self._clock = clock
        self._started = clock()
        self._first: float | None = None
        self._last = -LEAST_PAUSE
        self._step = ""
        self._cancelled = False

    def listen(self) -> None:
        """Take SIGTERM as the wish to end."""
        signal.signal(signal.SIGTERM, self._cancel)

    def _cancel(self, number: int, frame: FrameType | None) -> None:
        self._cancelled = True

    def check(self) -> None:
        """Raise Cancelled when SIGTERM came."""
        if self._cancelled:
            raise Cancelled

    def emit(self, event: str, **values: Any) -> None:
        """Write one event."""
        line = json.dumps({"event": event, **values}, ensure_ascii=False, allow_nan=False)
        print(line, file=self._out or sys.stdout, flush=True)

    def log(self, message: str) -> None:
        """Write a line for the log."""
        self.emit("log", message=message)

    def progress(self, share: float, step: str) -> None:
        """Tell the share of all work done (0 to 1) and what is being done, in words.

        The time left is the time so far, stretched; a resumed run does not count what an earlier
        one did. Raises Cancelled when SIGTERM came.
        """
        self.check()
        now = self._clock()
        if self._first is None:
            self._first = share
        if step == self._step and now - self._last < LEAST_PAUSE and share < 1.0:
            return
        self._step, self._last = step, now
        done = share - self._first
        eta = None if done <= 0.01 else round((now - self._started) / done * (1.0 - share), 1)
        self.emit("progress", progress=round(share, 4), step=step, eta_s=eta)


class Pace:
    """Tells how fast a long work goes and how long it will take, in words.

    total: its units of work in all; done: those that an earlier run did.
    """

    def __init__(
        self,
        total: float,
        unit: str,
        done: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total, self._unit, self._before = total, unit, done
        self._clock = clock
        self._started = clock()

    def told(self, done: float) -> str:
        """Return the rate so far and the time left, for `done` units of all."""
        seconds = max(self._clock() - self._started, 1e-9)
        rate = (done - self._before) / seconds
        if rate <= 0:
            return f"0 {self._unit}/s"
        shown = f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"
        return f"{shown} {self._unit}/s  {duration((self._total - done) / rate)} left"


class Follower:
    """Called with how many items of a work are done, writes a line now and then, and at the end."""

    def __init__(
        self,
        report: Callable[[str], None],
        what: str,
        total: int,
        unit: str = "fields",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report, self._what, self._total = report, what, total
        self._pace, self._clock = Pace(total, unit, clock=clock), clock
        self._last = clock()

    def __call__(self, done: int) -> None:
        """Tell that so many items are done."""
        now = self._clock()
        if done == self._total or now - self._last >= TELL_EVERY:
            self._last = now
            self._report(f"{self._what}  {done}/{self._total}  {self._pace.told(done)}")


def duration(seconds: float) -> str:
    """Return a length of time in words, from seconds to hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
