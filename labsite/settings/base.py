"""What every way of running shares. `embedded`, `production` and `test` add the rest.

Everything an operator may change is read from the environment, here and in those modules, and
nowhere else in the code.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import environ

from labsite.schedule import beat_schedule

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parents[2]
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var"))).expanduser().resolve()

# --- Where things lie ---------------------------------------------------------------------------
MEDIA_ROOT = DATA_DIR / "media"
REGISTRY_ROOT = DATA_DIR / "registry"
TRAINING_ROOT = DATA_DIR / "training"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(DATA_DIR / "static")))
BASE_BUNDLE = Path(env.str("BASE_BUNDLE", default=str(BASE_DIR / "ml" / "weights" / "base")))

# --- Limits on what comes in ---------------------------------------------------------------------
MAX_UPLOAD_BYTES = env.int("MAX_UPLOAD_BYTES", default=128 * 1024 * 1024)
MAX_PIXELS = env.int("MAX_PIXELS", default=100_000_000)
MAX_ARCHIVE_FILES = env.int("MAX_ARCHIVE_FILES", default=2_000)
# Of an archive as it comes, and of what it unpacks to.
MAX_ARCHIVE_BYTES = env.int("MAX_ARCHIVE_BYTES", default=2 * 1024**3)
# Of any other request. The largest is a reading with the 20,000 marks that one takes at most: less
# than 2 MB of JSON.
MAX_BODY_BYTES = env.int("MAX_BODY_BYTES", default=4 * 1024 * 1024)
FILE_UPLOAD_PERMISSIONS = 0o640

# --- Work in the background ----------------------------------------------------------------------
# Pictures of more pixels are shown in tiles: a few megabytes to send, and as many pixels as the
# smallest phones' browsers hold decoded.
TILES_ABOVE_PIXELS = env.int("TILES_ABOVE_PIXELS", default=8_000_000)
RETRAIN_SCHEDULE = env.str("RETRAIN_SCHEDULE", default="0 2 * * *")
INFERENCE_THREADS = env.int("INFERENCE_THREADS", default=1)
TRAINING_THREADS = env.int("TRAINING_THREADS", default=1)
HEARTBEAT_SECONDS = env.int("HEARTBEAT_SECONDS", default=3)
WORKER_STALE_SECONDS = env.int("WORKER_STALE_SECONDS", default=15)

# --- Django --------------------------------------------------------------------------------------
DEBUG = False
INSTALLED_APPS = [
    "labsite",
    "counting",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "axes",
    "csp",
]
MIDDLEWARE = [
    # First: whoever asks for health knows neither the host name nor HTTPS.
    "labsite.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    # Knows the language for its sentence, and comes before what reads the body.
    "labsite.bodies.BodyLimitMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Last, as django-axes asks: it turns a refused sign-in into the answer the user sees.
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "labsite.urls"
WSGI_APPLICATION = "labsite.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Language and time ---------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("id", "Bahasa Indonesia")]
LOCALE_PATHS = [BASE_DIR / "labsite" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.str("TIME_ZONE", default="UTC")

# --- Who may come in -----------------------------------------------------------------------------
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# The name and the address together: an outsider cannot lock a colleague out of the lab's network.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
# Behind a proxy all come from one address, the proxy's, unless its header is read.
AXES_CLIENT_IP_CALLABLE = "labsite.proxy.client_address"
BEHIND_PROXY = False
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False

# --- What the browser is told --------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "connect-src": ["'self'"],
        # blob: and data: for previews of files that are still being uploaded.
        "img-src": ["'self'", "blob:", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
# Browsers share cookies between ports of one host: names of our own keep two programs apart.
SESSION_COOKIE_NAME = "hematally_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "hematally_csrf"
CSRF_COOKIE_SAMESITE = "Lax"
# What somebody chose at the foot of a page; else the browser's own languages decide.
LANGUAGE_COOKIE_NAME = "hematally_language"
LANGUAGE_COOKIE_AGE = int(timedelta(days=365).total_seconds())
LANGUAGE_COOKIE_SAMESITE = "Lax"

# --- Static files --------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "labsite.npm.NpmFinder",
]
NPM_ROOT = BASE_DIR / "node_modules"
# Address below STATIC_URL -> file below NPM_ROOT. Nothing else of node_modules is ever served.
NPM_FILES = {
    "vendor/openseadragon.min.js": "openseadragon/build/openseadragon/openseadragon.min.js",
    "vendor/openseadragon.min.js.map": "openseadragon/build/openseadragon/openseadragon.min.js.map",
}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "labsite.static.StaticStorage"},
}
# With an address that carries the file's digest, a browser never has to ask again.
WHITENOISE_MAX_AGE = 3600

# --- HTTP API ------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    # Bearer first: its challenge is what makes "not signed in" a 401 and not a 403.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "counting.api.auth.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "rest_framework.parsers.JSONParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "counting.api.errors.handle",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "HemaTally",
    "DESCRIPTION": (
        "Count blood cells in smear fields. "
        "For research use only. Not for use in diagnostic procedures."
    ),
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # Fields of one name with other choices each: what their sets are called in the document.
    "ENUM_NAME_OVERRIDES": {
        "FieldState": "counting.api.field_serializers.FIELD_STATES",
        "JobState": "counting.models.JobState",
        "ModelState": "counting.models.ModelVersion.State",
        "ReadingState": "counting.models.Reading.State",
        "ReadingStanding": "counting.api.field_serializers.STANDINGS",
        "QueueReason": "counting.models.Reason",
        "FlagReason": "counting.models.FlagReason",
    },
}

# --- Celery --------------------------------------------------------------------------------------
# The database row of a job is the truth and the message only a bell, so a lost message costs a
# few seconds (the sweep rings again) and a message that comes twice costs nothing.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "exchange"
CELERY_TASK_ROUTES = {
    "counting.tasks.predict": {"queue": "inference"},
    "counting.tasks.train": {"queue": "training"},
    "counting.tasks.*": {"queue": "exchange"},
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULE = beat_schedule(RETRAIN_SCHEDULE)

# --- Logs ----------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # Django's own handlers (mail to admins, console in DEBUG) would print lines twice.
        "django": {"handlers": [], "level": "INFO"},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        # The sweep runs every few seconds: three lines each time would bury what matters.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}
