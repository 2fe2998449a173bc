"""Only listed files of node_modules are found, and a missing one is refused at start-up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import Storage

from labsite.npm import NpmFinder

pytestmark = pytest.mark.once


@pytest.fixture
def node_modules(settings: Any, tmp_path: Path) -> Path:
    """A library with one listed and one unlisted file."""
    library = tmp_path / "library" / "build"
    library.mkdir(parents=True)
    (library / "library.min.js").write_text("listed")
    (library / "other.js").write_text("unlisted")
    settings.NPM_ROOT = tmp_path
    settings.NPM_FILES = {"vendor/library.min.js": "library/build/library.min.js"}
    return tmp_path


def test_a_listed_file_is_found_under_its_address(node_modules: Path) -> None:
    where = str(node_modules / "library/build/library.min.js")
    assert NpmFinder().find("vendor/library.min.js") == where
    assert NpmFinder().find("vendor/library.min.js", find_all=True) == [where]


@pytest.mark.parametrize(
    "address",
    ["library/build/library.min.js", "library/build/other.js", "vendor/../library/build/other.js"],
)
def test_nothing_else_is_found(node_modules: Path, address: str) -> None:
    assert NpmFinder().find(address) == []


def test_collectstatic_gets_exactly_the_list(node_modules: Path) -> None:
    found: list[tuple[str, Storage]] = list(NpmFinder().list(None))
    assert [address for address, _ in found] == ["vendor/library.min.js"]
    address, storage = found[0]
    with storage.open(address) as stream:
        assert stream.read() == b"listed"


def test_a_file_that_is_not_installed_is_refused(node_modules: Path) -> None:
    assert NpmFinder().check() == []
    (node_modules / "library/build/library.min.js").unlink()
    (fault,) = NpmFinder().check()
    assert "library.min.js is missing" in fault.msg
    assert "make setup" in fault.msg
    assert NpmFinder().find("vendor/library.min.js") == []


def test_a_list_that_leads_out_of_node_modules_is_refused(
    node_modules: Path, settings: Any
) -> None:
    settings.NPM_FILES = {"vendor/x": "../outside"}
    with pytest.raises(SuspiciousFileOperation):
        NpmFinder().find("vendor/x")
