"""Serve a short list of files out of node_modules, and nothing else of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.checks import CheckMessage, Error
from django.core.files.storage import FileSystemStorage, Storage


class OneFile(FileSystemStorage):
    """A storage of exactly one file of node_modules, under the address it is served at."""

    prefix = ""

    def __init__(self, address: str, source: str, root: str | Path) -> None:
        """Take the address below STATIC_URL and the file's path below the root."""
        super().__init__(location=root)
        self.address = address
        self.source = source

    def path(self, name: str) -> str:
        """Return where the file really lies; any other name is not ours."""
        if name != self.address:
            raise FileNotFoundError(f"{name} is not one of NPM_FILES.")
        return super().path(self.source)


class NpmFinder(BaseFinder):
    """Finds the files named in the setting NPM_FILES (address -> path below NPM_ROOT)."""

    def __init__(self, app_names: Iterable[str] | None = None, *_: Any, **__: Any) -> None:
        """Read the list once; Django passes app names that do not concern this finder."""
        self.root = Path(settings.NPM_ROOT)
        self.storages = {
            address: OneFile(address, source, self.root)
            for address, source in settings.NPM_FILES.items()
        }

    def check(self, **_: Any) -> list[CheckMessage]:
        """Refuse to start when a listed file is not installed."""
        return [
            Error(
                f"{self.root / storage.source} is missing: run `make setup` to install the "
                "browser libraries.",
                id="labsite.E005",
            )
            for storage in self.storages.values()
            if not (self.root / storage.source).is_file()
        ]

    def find(self, path: str, find_all: bool = False, **_: Any) -> Any:
        """Return the file behind an address: a path, or a list of paths when all are asked for."""
        storage = self.storages.get(path)
        if storage is None or not storage.exists(path):
            return []
        found = storage.path(path)
        return [found] if find_all else found

    def list(
        self, ignore_patterns: Iterable[str] | Callable[[str], bool] | None
    ) -> Iterator[tuple[str, Storage]]:
        """Yield every listed file for collectstatic."""
        yield from self.storages.items()
