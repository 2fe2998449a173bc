"""The real program in processes of its own: for tests of workers, of recovery and in a browser.

    @pytest.mark.stack
    def test_something(stack_factory):
        stack = stack_factory()                  # set up, nothing runs yet
        stack.start("web", "inference")          # returns when both are ready
        stack.kill("inference")                  # SIGKILL, as the kernel does when memory is out
        stack.start("inference")
        ... stack.url, stack.token, stack.manage("check"), stack.log("inference") ...

With DATABASE=postgres it runs under the production settings on the servers of tests/servers.py,
otherwise under the embedded settings, as `make run` does. A stack begins as a copy of an
installation with its first administrator and the demo study. Everything it started ends with the
test, also when the test fails; the kernel ends it when pytest itself is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from labsite.processes import Child, Role, die_with_parent, roles
from tests.servers import STARTED, free_port
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[1]
# Seconds. Generous: two cores are shared with other tests.
START_TIMEOUT = 60
STOP_TIMEOUT = 30

PASSWORD = "count-the-cells-42"


def on_postgres() -> bool:
    """Say which pair of stores this test run is about."""
    return bool(os.environ.get("DATABASE_URL"))


class Stack:
    """One installation: its data folder, database, broker, and the processes that run.

    `token` is its administrator's, for scripts.
    """

    def __init__(self, data_dir: Path, static_root: Path, database: str, token: str = "") -> None:
        self.data_dir = data_dir
        self.token = token
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = installation(data_dir, static_root, database)
        self.roles = {role.name: role for role in roles("127.0.0.1", self.port)}
        self.children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def manage(self, *arguments: str) -> str:
        """Run a management command in a process of its own and return what it prints."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=die_with_parent,
        )
        assert done.returncode == 0, f"manage.py {' '.join(arguments)} failed:\n{done.stderr}"
        return done.stdout

    def start(self, *names: str, **environment: str) -> None:
        """Start these roles (all when none is named) and return when they are ready.

        Keyword arguments are added to the environment of these processes.
        """
        names = names or tuple(self.roles)
        for name in names:
            self.launch(self.roles[name], **environment)
        for name in names:
            self.wait_ready(name)

    def supervise(self, **environment: str) -> Child:
        """Start `manage.py serve`, everything as one command, and return when it has greeted."""
        command = (sys.executable, "manage.py", "serve", "--port", str(self.port))
        role = Role("serve", "supervisor", command)
        # It gathers the browser's files anew, under the feet of those that read the shared ones.
        own = {"STATIC_ROOT": str(self.data_dir / "static")}
        child = self.launch(role, **{**own, **environment})
        wait_until(
            lambda: "HemaTally is ready" in self.log("serve") or not child.alive(),
            START_TIMEOUT * 2,
            "the supervisor to greet",
        )
        assert child.alive(), self.log("serve")
        return child

    def launch(self, role: Role, **environment: str) -> Child:
        """Start a process and return at once."""
        running = self.children.get(role.name)
        assert running is None or not running.alive(), f"{role.name} runs already"
        log = self.data_dir / "test-logs" / f"{role.name}.log"
        child = Child(role, log, {**self.environment, **environment}, ROOT)
        self.children[role.name] = child
        return child

    def wait_ready(self, name: str) -> None:
        """Wait until the process can do its work; fail with its log when it cannot."""
        child = self.children[name]
        wait_until(lambda: child.ready() or not child.alive(), START_TIMEOUT, f"{name} to be ready")
        assert child.alive(), f"{name} ended ({child.how_it_ended()}):\n{self.log(name)}"

    def kill(self, name: str) -> None:
        """End a process and what it started without warning."""
        self.children.pop(name).kill()

    def stop(self, name: str) -> None:
        """Ask a process to stop and wait until it has."""
        child = self.children.pop(name)
        child.ask_to_stop()
        try:
            wait_until(lambda: not child.alive(), STOP_TIMEOUT, f"{name} to stop")
        finally:
            child.kill()

    def log(self, name: str) -> str:
        """Return what a process has printed so far."""
        path = self.data_dir / "test-logs" / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self) -> None:
        """End everything that still runs."""
        for child in self.children.values():
            if child.role.name == "serve" and child.alive():
                # It has children in groups of their own; it ends them itself.
                child.process.send_signal(signal.SIGTERM)
                child.process.wait(STOP_TIMEOUT)
            child.kill()
        self.children.clear()


def installation(data_dir: Path, static_root: Path, database: str) -> dict[str, str]:
    """Return the environment of one installation, and nothing of the test run's own."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "OMP_NUM_THREADS")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {
        "DATA_DIR": str(data_dir),
        "STATIC_ROOT": str(static_root),
        "ADMIN_PASSWORD": PASSWORD,
        "HEARTBEAT_SECONDS": "1",
        "WORKER_STALE_SECONDS": "5",
    }
    if not on_postgres():
        return {**environment, "DJANGO_SETTINGS_MODULE": "labsite.settings.embedded"}
    return {
        **environment,
        "DJANGO_SETTINGS_MODULE": "labsite.settings.production",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "HTTPS": "0",
        "DATABASE_URL": database_url(database),
        "REDIS_URL": os.environ["REDIS_URL"],
        "BROKER_PREFIX": f"{database}:",
    }


def database_url(name: str) -> str:
    """Return the address of another database on the run's PostgreSQL."""
    return os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{name}"


def create_database(name: str, template: str) -> None:
    """Make a PostgreSQL database, as a copy of another one."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(database_url("postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )


class Prepared:
    """An installation with its first administrator and the demo study; stacks are copies of it.

    It is made by the first process of a test run that asks for it, in a folder that all share.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.static_root = folder / "static"
        self.database = "prepared"
        folder.mkdir(exist_ok=True)
        token = folder / "token"
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not token.exists():
                token.write_text(self._make())
        self.token = token.read_text()

    def _make(self) -> str:
        """Make the installation and return a token of its administrator."""
        template = self._new("data", self.database, "template1")
        template.manage("migrate", "--verbosity", "0")
        template.manage("collectstatic", "--no-input", "--verbosity", "0")
        template.manage("setup_lab")
        return template.manage("create_token", "admin").strip()

    def _new(self, name: str, database: str, template: str, token: str = "") -> Stack:
        if on_postgres():
            create_database(database, template)
        return Stack(self.folder / name, self.static_root, database, token)

    def copy(self) -> Stack:
        """Return a new installation like this one."""
        name = f"stack_{secrets.token_hex(4)}"
        shutil.copytree(self.folder / "data", self.folder / name)
        return self._new(name, name, self.database, self.token)

    def empty(self) -> Stack:
        """Return an installation that was never started: no tables, no files."""
        name = f"stack_{secrets.token_hex(4)}"
        return self._new(name, name, "template1")


@pytest.fixture(scope="session")
def prepared() -> Prepared:
    """The installation that all stacks are copies of."""
    return Prepared(Path(os.environ[STARTED]) / "stacks")


@pytest.fixture
def stack_factory(prepared: Prepared) -> Iterator[Callable[[], Stack]]:
    """Return a function that makes stacks; all of them end with the test."""
    with contextlib.ExitStack() as made:
        yield lambda: made.enter_context(prepared.copy())
