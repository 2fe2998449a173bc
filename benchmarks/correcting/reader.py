"""The scripted reader: what its hands do, how long that takes, and what they do to correct a field.

The hands keep the pace of the keystroke-level model: S. K. Card, T. P. Moran, A. Newell, The
keystroke-level model for user performance time with interactive systems, Communications of the ACM
23 (1980), 396-410 (a key 0.28 s for an average typist who is no secretary, Shift and Ctrl are keys
of their own; pointing with a mouse 1.10 s); D. Kieras, Using the keystroke-level model to estimate
execution times, University of Michigan 2001 (pressing or releasing a mouse button 0.10 s; a thought
1.2 s). One hand is on the keys and one on the mouse, here as there, so homing takes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from playwright.sync_api import Page

from benchmarks.correcting.fields import Corrections, Mark

KEY = 0.28
POINT = 1.10
BUTTON = 0.10
THOUGHT = 1.2


@dataclass(frozen=True)
class Effort:
    """What one field took."""

    keys: int
    clicks: int
    hands: float
    seconds: float
    thoughts: int

    @property
    def actions(self) -> int:
        """Keystrokes and clicks together."""
        return self.keys + self.clicks

    @property
    def waiting(self) -> float:
        """Seconds that were not the hands': the program's."""
        return self.seconds - self.hands

    @property
    def thinking(self) -> float:
        """Seconds with a thought before each correction and before the field is submitted."""
        return self.seconds + THOUGHT * self.thoughts


class Hands:
    """Presses keys and clicks on a page, as slowly as people do, and counts both."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.keys = 0
        self.clicks = 0
        self.seconds = 0.0

    def press(self, key: str) -> None:
        """Press a key, or several at once as in Control+Enter; each is a keystroke."""
        number = len(key.split("+"))
        self.keys += number
        self._take(number * KEY)
        self.page.keyboard.press(key)

    def click(self, x: float, y: float, *, holding: str = "") -> None:
        """Point at a place of the page and click there, perhaps holding a key."""
        if holding:
            self.keys += 1
            self._take(KEY)
            self.page.keyboard.down(holding)
        self.clicks += 1
        self._take(POINT + 2 * BUTTON)
        self.page.mouse.click(x, y)
        if holding:
            self.page.keyboard.up(holding)

    def _take(self, seconds: float) -> None:
        self.seconds += seconds
        time.sleep(seconds)


class Tool(Protocol):
    """A program that shows one field after the other with suggested marks."""

    hands: Hands

    def correct(self, work: Corrections, suggested: Sequence[Mark]) -> None:
        """Make the marks or counts of the field on the screen those of the reference."""

    def submit(self) -> None:
        """Submit the field and return when the next one can be worked on, or none is left."""


def read_all(
    tool: Tool,
    fields: Sequence[tuple[Corrections, Sequence[Mark]]],
    tell: Callable[[int], None],
) -> list[Effort]:
    """Correct and submit all fields; the first is on the screen. Return what each took."""
    efforts = []
    for number, (work, suggested) in enumerate(fields):
        hands = tool.hands
        before = hands.keys, hands.clicks, hands.seconds, time.monotonic()
        tool.correct(work, suggested)
        tool.submit()
        efforts.append(
            Effort(
                keys=hands.keys - before[0],
                clicks=hands.clicks - before[1],
                hands=hands.seconds - before[2],
                seconds=time.monotonic() - before[3],
                thoughts=work.number + 1,
            )
        )
        tell(number + 1)
    return efforts
