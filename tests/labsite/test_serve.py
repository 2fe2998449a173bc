"""`manage.py serve`, the whole program: one command, four processes, nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.labsite.test_supervisor import wait_gone
from tests.scripts import Script
from tests.stack import PASSWORD, ROOT, Prepared, Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.stack

Factory = Callable[[], Stack]


def family(stack: Stack) -> list[psutil.Process]:
    return psutil.Process(stack.children["serve"].process.pid).children(recursive=True)


def serve(stack: Stack, port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "serve", "--port", str(port)],
        cwd=ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_one_command_sets_up_brings_up_everything_and_takes_it_down(prepared: Prepared) -> None:
    with prepared.empty() as stack:
        stack.supervise()
        said = stack.log("serve")
        for title in ("web server", "inference worker", "training worker", "scheduler"):
            assert f": {title}" in said
        assert stack.url in said
        assert "user admin, password from ADMIN_PASSWORD" in said
        assert PASSWORD not in said

        # The demo study is predicted by itself; then nobody is busy when it stops.
        script = Script(stack, stack.manage("create_token", "admin").strip())
        (demo,) = script.get("/api/v1/studies/")["results"]
        slides = script.get(f"/api/v1/slides/?study={demo['id']}")["results"]
        for slide in slides:
            wait_until(
                lambda slide=slide: set(script.states(slide["id"])) == {"predicted"},
                90,
                "the predictions of the demo study",
            )
        processes = family(stack)
        stack.stop("serve")
        wait_gone(processes)
        assert "HemaTally has stopped." in stack.log("serve")
        assert "had to be ended" not in stack.log("serve")


@pytest.fixture(scope="module")
def running(prepared: Prepared) -> Iterator[Stack]:
    """The whole program, for tests that leave it running."""
    with prepared.copy() as stack:
        stack.supervise()
        yield stack


@pytest.mark.once
def test_a_second_one_is_refused_for_the_same_data(running: Stack) -> None:
    second = serve(running, running.port + 1)
    assert second.returncode == 1
    assert "HemaTally already runs with the data in" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.once
def test_a_taken_port_is_refused_with_another_one_named(stack_factory: Factory) -> None:
    stack = stack_factory()
    with socket.socket() as other:
        other.bind(("127.0.0.1", stack.port))
        other.listen()
        refused = serve(stack, stack.port)
    assert refused.returncode == 1
    assert f"port {stack.port} is taken" in refused.stderr
    assert f"PORT={stack.port + 1}" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.once
def test_a_bad_schedule_is_refused_before_anything_starts(stack_factory: Factory) -> None:
    stack = stack_factory()
    stack.environment["RETRAIN_SCHEDULE"] = "every night"
    refused = serve(stack, stack.port)
    assert refused.returncode == 1
    assert 'RETRAIN_SCHEDULE is "every night"' in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.once
def test_a_killed_web_server_comes_back(running: Stack) -> None:
    web = next(one for one in family(running) if "granian" in " ".join(one.cmdline()))
    os.kill(web.pid, signal.SIGKILL)
    wait_until(
        lambda: running.log("serve").count(": web server") == 2, 30, "the web server to come back"
    )
    assert "killed by SIGKILL" in running.log("serve")


@pytest.mark.once
def test_nothing_outlives_a_killed_supervisor(stack_factory: Factory) -> None:
    stack = stack_factory()
    child = stack.supervise()
    processes = family(stack)
    assert len(processes) >= 4
    os.kill(child.process.pid, signal.SIGKILL)
    child.process.wait()
    wait_gone(processes)


def test_the_web_process_stays_small_and_without_torch(stack_factory: Factory) -> None:
    stack = stack_factory()
    stack.start("web")
    top = psutil.Process(stack.children["web"].process.pid)
    processes = [top, *top.children(recursive=True)]
    assert sum(one.memory_info().rss for one in processes) < 150 * 1024**2
    for one in processes:
        assert "torch" not in Path(f"/proc/{one.pid}/maps").read_text()
