"""A pytest plugin: the stores the tests run against. Loaded by `-p tests.servers` (pyproject.toml).

`python -m pytest` takes SQLite and the broker made of files. With DATABASE=postgres it starts a
PostgreSQL and a Redis of its own, on free loopback ports, and stops them at the end. This happens
before pytest-django reads the settings, hence a plugin and not a conftest.py. The workers of
pytest-xdist inherit the servers through the environment, and get a data folder each.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from labsite.processes import die_with_parent
from tests.waiting import wait_until

CHOICES = ("sqlite", "postgres")
STARTED = "HEMATALLY_TEST_FOLDER"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None, None, None]:
    """Set the stage before any other plugin looks at the settings."""
    if STARTED in os.environ:
        take_own_folder(Path(os.environ[STARTED]))
        return (yield)
    open_stage()
    return (yield)


def open_stage() -> None:
    """Make the run's folder, start the servers asked for, and name both in the environment."""
    choice = os.environ.get("DATABASE", "sqlite")
    if choice not in CHOICES:
        raise pytest.UsageError(f"DATABASE is {choice}: use one of {', '.join(CHOICES)}.")
    folder = Path(tempfile.mkdtemp(prefix="hematally-tests-"))
    folder.chmod(0o755)  # PostgreSQL's user has to pass through
    STAGE.callback(shutil.rmtree, folder, ignore_errors=True)
    os.environ[STARTED] = str(folder)
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    try:
        if choice == "postgres":
            os.environ["DATABASE_URL"] = start_postgres(folder / "postgres")
            os.environ["REDIS_URL"] = start_redis(folder / "redis")
    except BaseException:
        STAGE.close()
        raise
    take_own_folder(folder)


def take_own_folder(folder: Path) -> None:
    """Give this process (the run itself, or one xdist worker) its own data folder."""
    name = os.environ.get("PYTEST_XDIST_WORKER", "main")
    os.environ["DATA_DIR"] = str(folder / name)
    (folder / name / "static").mkdir(parents=True, exist_ok=True)  # WhiteNoise wants to see it
    os.environ["BROKER_PREFIX"] = f"{name}:"


STAGE = contextlib.ExitStack()


def pytest_unconfigure() -> None:
    """Stop the servers and remove the folder; in xdist's workers there is nothing to undo."""
    STAGE.close()


def free_port() -> int:
    """Return a loopback port nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find(program: str) -> str:
    """Return the path of a server's program, also where Debian keeps it out of PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    found = str(installed[-1]) if installed else shutil.which(program)
    if not found:
        raise pytest.UsageError(
            f"{program} is not installed: apt-get install postgresql redis-server"
        )
    return found


def start(command: list[str], log: Path, user: str | None, stop: signal.Signals) -> None:
    """Start a server, optionally as another user, and note how to stop it."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd="/",
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
            start_new_session=True,
            **as_user(user),
        )

    def end() -> None:
        server.send_signal(stop)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    STAGE.callback(end)


def as_user(user: str | None) -> dict[str, Any]:
    """Return Popen's arguments for running as that user."""
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def start_postgres(folder: Path) -> str:
    """Start a PostgreSQL that forgets everything at the end, and return its DATABASE_URL.

    PostgreSQL refuses to run as root: then it runs as the user its package made.
    """
    import psycopg

    user = "postgres" if os.geteuid() == 0 else None
    folder.mkdir()
    if user:
        shutil.chown(folder, user, user)
    folder.chmod(0o700)
    data = folder / "data"
    made = subprocess.run(
        [find("initdb"), "-D", str(data), "-U", "hematally", "-A", "trust", "-E", "UTF8"]
        + ["--no-locale", "--no-sync"],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **as_user(user),
    )
    if made.returncode:
        raise pytest.UsageError(f"PostgreSQL's initdb failed: {made.stderr.strip()}")
    port = free_port()
    # It may forget everything, so it need not wait for the disk.
    careless = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
    where = ("listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}")
    options = [
        word for setting in (*careless, *where, "max_connections=200") for word in ("-c", setting)
    ]
    start(
        [find("postgres"), "-D", str(data), *options],
        folder.parent / "postgres.log",
        user,
        signal.SIGINT,
    )
    url = f"postgres://hematally@127.0.0.1:{port}/postgres"

    def answers() -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(url, connect_timeout=2).close()
            return True
        return False

    wait_until(answers, 30, "PostgreSQL to answer")
    return url


def start_redis(folder: Path) -> str:
    """Start a Redis that keeps nothing on disk, and return its REDIS_URL."""
    import redis

    folder.mkdir()
    port = free_port()
    start(
        [find("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        + ["--save", "", "--appendonly", "no"],
        folder.parent / "redis.log",
        None,
        signal.SIGTERM,
    )
    url = f"redis://127.0.0.1:{port}/0"

    def answers() -> bool:
        with contextlib.suppress(redis.exceptions.ConnectionError), redis.from_url(url) as client:
            return bool(client.ping())
        return False

    wait_until(answers, 30, "Redis to answer")
    return url
