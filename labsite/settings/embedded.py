"""One computer, one command: SQLite, and a broker made of files. Nothing to install or configure.

`make run` uses this. Everything lies in DATA_DIR: to back up, stop it, then copy that folder (while
it runs, the newest counts stand in SQLite's write-ahead log, and a copy can be torn); to restore,
stop it, put the copy in the folder's place and start it again.
"""

from __future__ import annotations

from labsite.secret import read_or_make_secret
from labsite.settings.base import *  # noqa: F403
from labsite.settings.base import DATA_DIR, env
from labsite.stores import FILE_TRANSPORT, filesystem_broker, sqlite_database
from labsite.zone import machine_zone

SECRET_KEY = env.str("SECRET_KEY", default="") or read_or_make_secret(DATA_DIR / "secret_key")
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", *env.list("ALLOWED_HOSTS", default=[])]

DATABASES = {"default": sqlite_database(DATA_DIR / "db.sqlite3")}

CELERY_BROKER_URL = "filesystem://localhost//"
CELERY_BROKER_TRANSPORT = FILE_TRANSPORT
CELERY_BROKER_TRANSPORT_OPTIONS = filesystem_broker(DATA_DIR / "broker")

# Reports carry the lab's time, and "at night" is the lab's night.
TIME_ZONE = env.str("TIME_ZONE", default="") or machine_zone()
CELERY_TIMEZONE = TIME_ZONE
