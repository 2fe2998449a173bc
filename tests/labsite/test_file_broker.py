"""The broker made of files: nobody sees a message that is half written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from labsite.stores import FILE_TRANSPORT, filesystem_broker


def connect(folder: Path) -> Connection:
    return Connection(
        "filesystem://localhost//",
        transport=FILE_TRANSPORT,
        transport_options=filesystem_broker(folder),
    )


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Any]:
    """Another process's end of the queue, as far as the folder can tell."""
    with connect(tmp_path) as connection:
        yield connection.SimpleQueue("bells")


class Asked:
    """A part of a message that looks into the queue while it is written."""

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self.times = 0

    def __json__(self) -> str:
        self.times += 1
        with pytest.raises(Empty):
            self.worker.get_nowait()
        return "asked"


def test_a_message_is_taken_whole_or_not_yet(tmp_path: Path, worker: Any) -> None:
    asked = Asked(worker)
    with connect(tmp_path) as connection:
        connection.SimpleQueue("bells").put({"job": 1}, headers={"asked": asked})
    assert asked.times == 1
    message = worker.get_nowait()
    assert (message.payload, message.headers["asked"]) == ({"job": 1}, "asked")
    message.ack()
    with pytest.raises(Empty):
        worker.get_nowait()
