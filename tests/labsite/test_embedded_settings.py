"""The embedded settings need nothing, and keep their secret."""

from __future__ import annotations

import os
import runpy
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from labsite.secret import read_or_make_secret
from labsite.zone import machine_zone

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


@pytest.mark.parametrize(
    ("leads_to", "zone"),
    [
        ("usr/share/zoneinfo/Asia/Jakarta", "Asia/Jakarta"),
        ("usr/share/zoneinfo/Etc/UTC", "Etc/UTC"),
        ("usr/share/zoneinfo/Asia", "UTC"),
        ("usr/share/zoneinfo/Asia/Nowhere", "UTC"),
        ("somewhere/else", "UTC"),
    ],
)
def test_the_computer_s_clock_tells_its_zone(tmp_path: Path, leads_to: str, zone: str) -> None:
    clock = tmp_path / "localtime"
    clock.symlink_to(tmp_path / leads_to)
    assert machine_zone(clock) == zone


def test_times_and_the_nightly_training_go_by_the_lab_s_zone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_KEY", "x" * 50)
    for given, zone in (("Asia/Makassar", "Asia/Makassar"), ("", machine_zone())):
        monkeypatch.setenv("TIME_ZONE", given)
        settings = runpy.run_module("labsite.settings.embedded")
        assert (settings["TIME_ZONE"], settings["CELERY_TIMEZONE"]) == (zone, zone)
