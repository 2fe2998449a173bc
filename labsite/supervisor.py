"""Run the whole of HemaTally on one computer: start its processes, watch them, stop them together.

`manage.py serve` prepares the data folder and then becomes this program, which holds nothing but
the standard library. Only one runs per data folder: a lock on DATA_DIR/serve.lock sees to that.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labsite.processes import Child, Role, reachable, roles

# Seconds. A process that lived longer than STEADY before it died is given a fresh start.
TICK = 0.1
STOP_GRACE = 10.0
FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0
STEADY = 60.0


def take_lock(data_dir: Path) -> int | None:
    """Return a file descriptor that holds the data folder's lock, or None when another has it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    handle = os.open(data_dir / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


@dataclass
class Post:
    """A role and who fills it: the present process, and when the next may be started."""

    role: Role
    child: Child | None = None
    announced: bool = False
    delay: float = FIRST_DELAY
    next_start: float = 0.0


@dataclass
class Supervisor:
    """Keeps every role filled until it is asked to stop."""

    roles: Sequence[Role]
    data_dir: Path
    cwd: Path
    greeting: str = ""
    grace: float = STOP_GRACE
    say: Callable[[str], None] = lambda line: print(line, flush=True)
    posts: list[Post] = field(default_factory=list)
    stopping: bool = False
    greeted: bool = False

    def run(self) -> None:
        """Start everything, keep it running, and return once everything has stopped."""
        self.posts = [Post(role) for role in self.roles]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)
        try:
            while not self.stopping:
                for post in self.posts:
                    self._look_after(post)
                self._greet()
                time.sleep(TICK)
        finally:
            self._stop_all()

    def _asked_to_stop(self, number: int, _frame: object) -> None:
        self.stopping = True

    def _look_after(self, post: Post) -> None:
        now = time.monotonic()
        if post.child is None:
            if now >= post.next_start:
                self._start(post)
        elif not post.child.alive():
            self._bury(post)
        elif not post.announced and post.child.ready():
            post.announced = True
            self.say(f"  ready after {post.child.seconds:4.1f} s: {post.role.title}")
        elif post.child.seconds > STEADY:
            post.delay = FIRST_DELAY

    def _start(self, post: Post) -> None:
        log = self.data_dir / "logs" / f"{post.role.name}.log"
        post.child = Child(post.role, log, os.environ, self.cwd)
        post.announced = False

    def _bury(self, post: Post) -> None:
        child = post.child
        assert child is not None
        child.kill()
        self.say(
            f"  the {post.role.title} stopped ({child.how_it_ended()}); it starts again in "
            f"{post.delay:.0f} s. Last line of {child.log}:\n    {child.last_words()}"
        )
        post.child = None
        post.next_start = time.monotonic() + post.delay
        post.delay = min(post.delay * 2, LONGEST_DELAY)

    def _greet(self) -> None:
        if not self.greeted and all(post.announced for post in self.posts):
            self.greeted = True
            self.say(self.greeting)

    def _stop_all(self) -> None:
        children = [post.child for post in self.posts if post.child is not None]
        self.say("HemaTally stops; a training run goes on from its last checkpoint next time.")
        for child in children:
            child.ask_to_stop()
        deadline = time.monotonic() + self.grace
        while time.monotonic() < deadline and any(child.alive() for child in children):
            time.sleep(TICK)
        for child in children:
            if child.alive():
                self.say(f"  the {child.role.title} was busy and had to be ended")
            child.kill()
        self.say("HemaTally has stopped.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line `manage.py serve` writes, and supervise."""
    parser = argparse.ArgumentParser(prog="python -m labsite.supervisor")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--notes", type=int, help="file descriptor with lines to show at the end")
    options = parser.parse_args(arguments)
    notes = ""
    if options.notes is not None:
        with os.fdopen(options.notes) as stream:
            notes = stream.read().strip()
    address = f"http://{reachable(options.host)}:{options.port}/"
    greeting = "\n".join(
        line
        for line in (
            f"\nHemaTally is ready: {address}",
            notes,
            f"Logs are in {options.data_dir / 'logs'}. Press Ctrl-C to stop.",
        )
        if line
    )
    Supervisor(
        roles(options.host, options.port),
        options.data_dir,
        cwd=Path(__file__).resolve().parents[1],
        greeting=greeting,
    ).run()


if __name__ == "__main__":
    main()
