"""The embedded settings need nothing, and keep their secret."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from labsite.secret import read_or_make_secret

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]


def test_the_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secret_key"
    key = read_or_make_secret(path)
    assert len(key) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_or_make_secret(path) == key
    assert list(path.parent.iterdir()) == [path]


def test_processes_that_start_together_agree_on_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: read_or_make_secret(path), range(32)))
    assert len(keys) == 1


def test_a_broken_secret_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    path.write_text("half")
    with pytest.raises(ImproperlyConfigured, match="delete the file"):
        read_or_make_secret(path)


def test_a_data_folder_that_is_a_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "check"],
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path / "var")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "HemaTally does not start: the data folder" in done.stderr
    assert "DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr
