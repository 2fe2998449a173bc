"""The signing key of an installation that nobody configures."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def read_or_make_secret(path: Path) -> str:
    """Return the key in the file; make the file (readable by its owner only) when there is none.

    Several processes may start at once: the key is written under another name first and linked
    into place, so that exactly one wins and nobody reads half a key.

    Raises ImproperlyConfigured when the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as stream:
                stream.write(secrets.token_urlsafe(64))
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        key = path.read_text().strip()
    except OSError as problem:
        raise ImproperlyConfigured(
            f"the data folder {path.parent} cannot be used ({problem.strerror}): give this user "
            "the right to write there, or name another folder in DATA_DIR."
        ) from problem
    if len(key) < 50:
        raise ImproperlyConfigured(
            f"{path} holds no usable signing key: delete the file and a new one is made "
            "(everyone signs in again)."
        )
    return key
