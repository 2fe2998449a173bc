"""What the tests run under: the embedded stores, or PostgreSQL and Redis when they are named.

tests/servers.py starts throwaway servers and sets DATABASE_URL, REDIS_URL and DATA_DIR before
Django reads this.
"""

from __future__ import annotations

from labsite.settings.base import *  # noqa: F403
from labsite.settings.base import DATA_DIR, STORAGES, env
from labsite.stores import (
    FILE_TRANSPORT,
    filesystem_broker,
    postgres_database,
    redis_broker,
    sqlite_database,
)

SECRET_KEY = "only-for-tests-" + "0123456789" * 5
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", "testserver"]

if env.str("DATABASE_URL", default=""):
    DATABASES = {"default": postgres_database(env.str("DATABASE_URL"), pool_size=4)}
else:
    DATABASES = {"default": sqlite_database(DATA_DIR / "db.sqlite3")}

if env.str("REDIS_URL", default=""):
    CELERY_BROKER_URL = env.str("REDIS_URL")
    # Processes of one test run share the Redis: each test worker hears only its own bells.
    CELERY_BROKER_TRANSPORT_OPTIONS = redis_broker(env.str("BROKER_PREFIX", default=""))
else:
    CELERY_BROKER_URL = "filesystem://localhost//"
    CELERY_BROKER_TRANSPORT = FILE_TRANSPORT
    CELERY_BROKER_TRANSPORT_OPTIONS = filesystem_broker(DATA_DIR / "broker")

# Hashing is slow on purpose; hundreds of test users do not need it.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Addresses without digests, so that pages can be rendered without collectstatic.
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
