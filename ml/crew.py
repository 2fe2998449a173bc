"""Several threads for what pictures need: decoding, scaling, the net, judging.

Torch can share out a single operation among threads. Then all wait for the slowest of them after
every one, for long where other programs run, and most of what is not the net stays on one core.
Here a thread takes whole pictures, from the file to the counts, and waits for none of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Crew:
    """So many threads that share out work; without a pool the caller's own."""

    size: int = 1
    pool: ThreadPoolExecutor | None = None

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Return what `work` makes of each item, in their order.

        Raises what `work` raised at the first item where it did, once all threads are at rest.
        """
        todo = list(items)
        if self.pool is None or len(todo) < 2:
            return [work(item) for item in todo]
        return list(self.pool.map(work, todo))


ALONE = Crew()


@contextmanager
def gathered() -> Iterator[Crew]:
    """Yield a crew of as many threads as torch may use, each of which computes alone meanwhile.

    They are made for the occasion: a process that forks afterwards leaves none behind.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        yield ALONE
        return
    # Torch keeps the number for each thread, and for those to come.
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield Crew(threads, pool)
    finally:
        torch.set_num_threads(threads)
