"""How to talk to each database and broker. Used by the settings modules only.

The numbers come from measurements: see docs/architecture.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import environ

# Redis hands a message to another worker when it is not acknowledged for this long. It has to be
# longer than the longest task (a training run), or that task would be started again beside itself.
VISIBILITY_SECONDS = 24 * 3600
# kombu's own lets a worker see a message before it is written.
FILE_TRANSPORT = "labsite.file_broker:Transport"


def sqlite_database(path: Path) -> dict[str, Any]:
    """Return Django's settings for an SQLite file that several processes write.

    WAL lets readers go on while one writes. IMMEDIATE takes the write lock at the start of a
    transaction, where waiting for it is possible; taken later, SQLite answers "database is locked"
    at once. For the same reason ATOMIC_REQUESTS stays off: each GET would take the write lock.
    """
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def filesystem_broker(folder: Path) -> dict[str, Any]:
    """Return the transport options of a broker that keeps its messages as files in the folder."""
    for name in ("queue", "control"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folder / "queue"),
        "data_folder_out": str(folder / "queue"),
        "control_folder": str(folder / "control"),
        # Seconds between looks into the folder; the default of 1 is felt by whoever waits.
        "polling_interval": 0.05,
    }


def redis_broker(prefix: str = "") -> dict[str, Any]:
    """Return the transport options of a Redis broker; the prefix keeps users of one Redis apart."""
    options: dict[str, Any] = {
        "visibility_timeout": VISIBILITY_SECONDS,
        # How often lost messages are looked for: by default they come back after 100 seconds.
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
    }
    if prefix:
        options["global_keyprefix"] = prefix
    return options


def postgres_database(url: str, pool_size: int) -> dict[str, Any]:
    """Return Django's settings for PostgreSQL with a pool of up to that many connections.

    A pool, because the web server's threads come and go and each would open its own connection.
    """
    database: dict[str, Any] = dict(environ.Env.db_url_config(url))
    database["OPTIONS"] = {
        **database.get("OPTIONS", {}),
        "pool": {"min_size": 1, "max_size": pool_size, "timeout": 10},
    }
    return database
