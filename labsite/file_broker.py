"""The broker made of files: kombu's, with messages that appear whole.

kombu makes a message's file under its own name and fills it then. A worker that looks into the
folder in between takes an empty message, which ends the worker; pictures wait until it is back.
"""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """Puts each message into the folder in one step."""

    def _put(self, queue: str, payload: dict[str, Any], **_: Any) -> None:  # type: ignore[override]
        # Messages are taken in the order of their names, and only those whose name ends in `.msg`.
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        part = Path(self.data_folder_out, f"{name}.part")
        part.write_text(dumps(payload))
        part.rename(part.with_name(name))


class Transport(filesystem.Transport):
    """What the settings name."""

    Channel = Channel
