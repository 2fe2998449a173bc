"""A server with PostgreSQL and Redis, configured by environment variables.

Refuses to start, with a sentence, when one is missing or cannot be right.

Required: SECRET_KEY, ALLOWED_HOSTS, DATABASE_URL, REDIS_URL.
Optional: CSRF_TRUSTED_ORIGINS, HTTPS (default on), BEHIND_PROXY, HSTS_SECONDS, DATABASE_POOL,
BROKER_PREFIX, TIME_ZONE (default UTC).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from labsite.processes import WEB_THREADS
from labsite.settings.base import *  # noqa: F403
from labsite.settings.base import env
from labsite.stores import postgres_database, redis_broker

problems: list[str] = []


def required(name: str, what: str) -> str:
    """Return the variable's value, or note that it is missing."""
    value: str = env.str(name, default="").strip()
    if not value:
        problems.append(f"set {name} to {what}.")
    return value


SECRET_KEY = required("SECRET_KEY", "a long random text that stays the same between starts")
if SECRET_KEY and (len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 10):
    problems.append("SECRET_KEY is too easy to guess: use at least 50 random characters.")

ALLOWED_HOSTS = [
    host.strip()
    for host in required("ALLOWED_HOSTS", "the host names people type, with commas").split(",")
    if host.strip()
]
if "*" in ALLOWED_HOSTS:
    problems.append('ALLOWED_HOSTS holds "*", which trusts any name: list the real host names.')

database_url = required("DATABASE_URL", "postgres://user:password@host:5432/name")
if database_url and urlsplit(database_url).scheme not in {"postgres", "postgresql"}:
    problems.append(
        "DATABASE_URL does not start with postgres://: in production HemaTally needs PostgreSQL "
        "(for one computer, use labsite.settings.embedded)."
    )

redis_url = required("REDIS_URL", "redis://host:6379/0")
if redis_url and urlsplit(redis_url).scheme not in {"redis", "rediss"}:
    problems.append("REDIS_URL does not start with redis:// or rediss://.")

HTTPS = env.bool("HTTPS", default=True)
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
if any("://" not in origin for origin in CSRF_TRUSTED_ORIGINS):
    problems.append("CSRF_TRUSTED_ORIGINS needs whole origins, such as https://counts.example.org.")

if problems:
    raise ImproperlyConfigured(" ".join(problem[0].upper() + problem[1:] for problem in problems))

DATABASES = {
    "default": postgres_database(
        database_url, pool_size=env.int("DATABASE_POOL", default=WEB_THREADS)
    )
}
CELERY_BROKER_URL = redis_url
CELERY_BROKER_TRANSPORT_OPTIONS = redis_broker(env.str("BROKER_PREFIX", default=""))

SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
LANGUAGE_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=3600 if HTTPS else 0)
# Only behind a proxy that sets X-Forwarded-Proto and X-Forwarded-For itself; elsewhere any visitor
# could claim HTTPS, and another address for each sign-in.
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
