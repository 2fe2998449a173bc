"""The supervisor starts, watches, restarts and stops; tried with small processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from labsite import supervisor
from labsite.processes import port_is_free, reachable, rotate
from tests.waiting import wait_until

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]


class Supervised:
    """A supervisor in a process of its own, and what it has said."""

    def __init__(self, folder: Path, *roles: str) -> None:
        self.said = folder / "said"
        with self.said.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.labsite.supervised", str(folder), *roles],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def text(self) -> str:
        return self.said.read_text()

    def wait_for(self, words: str, times: int = 1) -> None:
        wait_until(lambda: self.text().count(words) >= times, 20, f"{words!r} ({self.text()})")

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


def wait_gone(processes: list[psutil.Process]) -> None:
    """Wait until they are over; one that nobody collects stays in the table as a zombie."""

    def over(process: psutil.Process) -> bool:
        try:
            return process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    wait_until(lambda: all(over(process) for process in processes), 30, "processes to be gone")


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    """Return a function that starts a supervisor over the given roles."""
    started: list[Supervised] = []

    def start(*roles: str) -> Supervised:
        started.append(Supervised(tmp_path, *roles))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


def test_it_says_when_each_is_ready_and_greets_once(supervise: Callable[..., Supervised]) -> None:
    running = supervise("web=good", "worker=good")
    running.wait_for("hello")
    assert running.text().count("ready after") == 2
    assert "web process" in running.text()
    assert running.text().index("worker process") < running.text().index("hello")


def test_started_is_not_ready(supervise: Callable[..., Supervised]) -> None:
    running = supervise("web=good", "worker=never ready")
    running.wait_for("web process")
    assert running.stop() == 0
    assert "worker process" not in running.text()
    assert "hello" not in running.text()


def test_a_process_that_dies_is_started_again(supervise: Callable[..., Supervised]) -> None:
    running = supervise("web=good", "worker=good")
    running.wait_for("hello")
    before = {child.pid for child in running.children()}
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    running.wait_for("killed by SIGKILL")
    running.wait_for("ready after", times=3)
    after = {child.pid for child in running.children()}
    assert victim not in after
    assert len(after) == 2
    assert len(after & before) == 1
    assert running.text().count("hello") == 1


def test_a_process_that_cannot_start_is_retried_less_and_less_often(
    supervise: Callable[..., Supervised],
) -> None:
    running = supervise("worker=crashes")
    running.wait_for("exit status 3); it starts again in 1 s")
    running.wait_for("exit status 3); it starts again in 2 s")
    assert "no such table: cells" in running.text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_stops_all_with_itself(
    supervise: Callable[..., Supervised], number: signal.Signals
) -> None:
    running = supervise("web=good", "worker=good")
    running.wait_for("hello")
    children = running.children()
    assert running.stop(number) == 0
    wait_gone(children)
    assert "HemaTally has stopped." in running.text()


def test_children_do_not_outlive_a_killed_supervisor(
    supervise: Callable[..., Supervised],
) -> None:
    running = supervise("web=good", "worker=good")
    running.wait_for("hello")
    children = running.children()
    assert len(children) == 2
    running.stop(signal.SIGKILL)
    wait_gone(children)


def test_a_process_that_does_not_listen_is_ended_with_all_it_started(
    supervise: Callable[..., Supervised],
) -> None:
    running = supervise("worker=stubborn")
    running.wait_for("hello")
    family = running.children()
    assert len(family) == 2
    assert running.stop() == 0
    assert "was busy and had to be ended" in running.text()
    wait_gone(family)


def test_only_one_takes_a_data_folder(tmp_path: Path) -> None:
    first = supervisor.take_lock(tmp_path / "var")
    assert first is not None
    assert supervisor.take_lock(tmp_path / "var") is None
    os.close(first)
    again = supervisor.take_lock(tmp_path / "var")
    assert again is not None
    os.close(again)


def test_a_grown_log_is_moved_aside_and_only_some_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    for number in range(6):
        log.write_text(f"{number} " + "x" * 100)
        rotate(log, limit=50, keep=3)
        assert not log.exists()
    kept = {path.name: path.read_text().split()[0] for path in tmp_path.iterdir()}
    assert kept == {"web.log.1": "5", "web.log.2": "4", "web.log.3": "3"}
    log.write_text("short")
    rotate(log, limit=50, keep=3)
    assert log.read_text() == "short"


def test_a_taken_port_is_noticed() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not port_is_free("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("lab-pc", "lab-pc"),
    ],
)
def test_the_address_shown_can_be_opened_here(host: str, address: str) -> None:
    assert reachable(host) == address
