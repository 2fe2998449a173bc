"""The processes HemaTally is made of, and how one of them is started, watched and stopped.

Only the standard library: the supervisor stays small, and the tests start processes the same way.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

APPLICATION = "labsite.wsgi:application"
# Requests at a time. One whose body comes slowly holds a thread until it is there, so there are
# many more than processors; those that nobody needs are never started.
WEB_THREADS = 32
LOG_BYTES = 5 * 1024 * 1024
LOGS_KEPT = 3
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Role:
    """One process: its name, what people call it, and how it is started.

    `url` is asked when the process cannot say itself that it is ready.
    """

    name: str
    title: str
    command: tuple[str, ...]
    url: str = ""


def roles(host: str, port: int) -> tuple[Role, ...]:
    """Return the four processes of an installation on one computer."""
    python = (sys.executable, "-m")
    celery = (*python, "celery", "-A", "labsite.celery")
    # One worker process each with the solo pool: torch must not be forked, and predictions must
    # not wait behind a training run. Workers of one computer have nothing to tell each other.
    alone = ("--pool", "solo", "--without-gossip", "--without-mingle", "--without-heartbeat")
    loud = ("--loglevel", "INFO")
    worker = (*celery, "worker", *alone, *loud)
    web = (
        "--interface",
        "wsgi",
        "--workers",
        "1",
        "--blocking-threads",
        str(WEB_THREADS),
        "--no-ws",
        "--log-level",
        "warning",
    )
    return (
        Role(
            "web",
            "web server",
            (*python, "granian", *web, "--host", host, "--port", str(port), APPLICATION),
            url=f"http://{reachable(host)}:{port}/healthz",
        ),
        Role(
            "inference",
            "inference worker",
            (*worker, "--queues", "inference,exchange", "--hostname", "inference@%h"),
        ),
        Role(
            "training",
            "training worker",
            (*worker, "--queues", "training", "--hostname", "training@%h"),
        ),
        Role(
            "scheduler",
            "scheduler",
            (*celery, "beat", "--scheduler", "celery.beat.Scheduler", "--pidfile=", *loud),
        ),
    )


def reachable(host: str) -> str:
    """Return the address under which this computer reaches a server bound to the host."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared, not bound
    return everywhere.get(host, f"[{host}]" if ":" in host else host)


def port_is_free(host: str, port: int) -> bool:
    """Say whether a server can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent goes, however it goes. To run in the child."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def rotate(log: Path, limit: int = LOG_BYTES, keep: int = LOGS_KEPT) -> None:
    """Move a log that has grown past the limit (bytes) aside: web.log -> web.log.1 -> ..."""
    if not log.exists() or log.stat().st_size <= limit:
        return
    for number in range(keep - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    log.replace(log.with_name(f"{log.name}.1"))


class Child:
    """A running process of one role, the leader of a process group of its own.

    Its output goes to the log file. A group of its own, because Ctrl-C in a terminal reaches the
    whole foreground group, and the order in which processes stop is ours to choose.
    """

    def __init__(self, role: Role, log: Path, environment: Mapping[str, str], cwd: Path) -> None:
        self.role = role
        self.log = log
        self.started = time.monotonic()
        self._ready = False
        self._pipe, theirs = os.pipe()
        os.set_blocking(self._pipe, False)
        log.parent.mkdir(parents=True, exist_ok=True)
        rotate(log)
        try:
            with log.open("ab") as output:
                self.process = subprocess.Popen(
                    role.command,
                    cwd=cwd,
                    env={
                        **environment,
                        "READY_FD": str(theirs),
                        "SUPERVISED": "1",
                        "PYTHONUNBUFFERED": "1",
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=(theirs,),
                    start_new_session=True,
                    preexec_fn=die_with_parent,
                )
        finally:
            os.close(theirs)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def alive(self) -> bool:
        """Say whether it still runs."""
        return self.process.poll() is None

    def ready(self) -> bool:
        """Say whether it has been able to do its work since it was started."""
        if not self._ready and self.alive():
            self._ready = self._answers() if self.role.url else self._has_reported()
        return self._ready

    def _has_reported(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            return os.read(self._pipe, 64) != b""
        return False

    def _answers(self) -> bool:
        # Straight to the server: a proxy of the environment has no business here.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self.role.url, timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def how_it_ended(self) -> str:
        """Describe the end of a process that is over, for people."""
        code = self.process.poll()
        if code is None:
            return "still running"
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit status {code}"

    def last_words(self, lines: int = 1) -> str:
        """Return the last lines of the log, which usually name the reason."""
        with contextlib.suppress(OSError):
            text = self.log.read_text(errors="replace")[-4000:]
            return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])
        return ""

    def ask_to_stop(self) -> None:
        """Ask the process to finish what it does and leave."""
        if self.alive():
            self.process.terminate()

    def kill(self) -> None:
        """End the process and everything it started, now. Harmless when it is over."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
