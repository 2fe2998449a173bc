"""Requests that come slowly keep nobody waiting."""

from __future__ import annotations

import contextlib
import socket
import urllib.request
from collections.abc import Callable

import pytest

from tests.stack import Stack

pytestmark = pytest.mark.stack

SENDERS = 24
BEGUN = (
    b"POST /api/v1/auth/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 5000\r\n\r\n{"
)


def test_two_dozen_who_never_finish_their_request_keep_nobody_waiting(
    stack_factory: Callable[[], Stack],
) -> None:
    stack = stack_factory()
    stack.start("web")
    with contextlib.ExitStack() as senders:
        for _ in range(SENDERS):
            sender = socket.create_connection(("127.0.0.1", stack.port))
            senders.enter_context(sender).sendall(BEGUN)
        with urllib.request.urlopen(f"{stack.url}/accounts/login/", timeout=10) as answer:
            assert answer.status == 200
