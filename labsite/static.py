"""How browser files are stored for serving."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped
    """Compressed files under addresses that carry their digest.

    JavaScript modules import each other by relative address; these are rewritten too, so that a
    browser never pairs a new module with an old one.
    """

    support_js_module_import_aggregation = True
