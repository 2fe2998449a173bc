"""The calibration page: samples from lines of text."""

from __future__ import annotations

import html

import pytest
from django.test import Client

from counting.models import Calibration, Study
from counting.services import calibrations
from tests.counting.conftest import People

pytestmark = pytest.mark.django_db


@pytest.fixture
def calibration(study: Study, people: People) -> Calibration:
    return calibrations.create_calibration(
        study=study, actor=people.rita, cell_type="WBC", microscope="M1", objective="100x"
    )


def test_lines_that_are_refused_come_back_to_be_put_right(
    alice: Client, calibration: Calibration
) -> None:
    address = f"/calibrations/{calibration.pk}/add/"
    lines = "K1; 7200; 2.4; 20\nK2; <abc>; 2.1; 20"
    page = html.unescape(alice.post(address, {"samples": lines}, follow=True).content.decode())
    assert "Line 2 is not understood. Write: code; analyzer's cells per µL; mean count" in page
    assert "fields counted (may be left out)" in page
    assert f">{lines}</textarea>" in page
    assert not calibration.samples.exists()
    # Once: who comes back later begins anew.
    assert "K1; 7200" not in alice.get(f"/calibrations/{calibration.pk}/").content.decode()

    right = lines.replace("<abc>", "6900")
    page = alice.post(address, {"samples": right}, follow=True).content.decode()
    assert "2 samples added." in page
    assert "K1; 7200" not in page
    assert calibration.samples.count() == 2


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("K1,7200,3", (7200, 3, None)),
        ("K1,7200,2.5,20", (7200, 2.5, 20)),
        ("K1, 7200, 3, 20", (7200, 3, 20)),
        ("K1;7200;3,5;20", (7200, 3.5, 20)),
        ("K1\t7200\t3,5", (7200, 3.5, None)),
        # The mean may be 3 in 5 fields, or 3.5.
        ("K1,7200,3,5", None),
        ("K1, 7200, 3,5", None),
        ("K1,7200,5,3", None),
    ],
)
def test_a_comma_that_may_be_a_decimal_one_parts_no_columns(
    alice: Client, calibration: Calibration, line: str, read: tuple[float, ...] | None
) -> None:
    answer = alice.post(f"/calibrations/{calibration.pk}/add/", {"samples": line}, follow=True)
    page = html.unescape(answer.content.decode())
    asked = "Line 1 can be read in two ways. Part the columns with semicolons." in page
    rows = calibration.samples.values_list("analyzer_value", "mean_count", "field_count")
    assert (asked, list(rows)) == ((False, [read]) if read else (True, []))


def test_who_may_not_is_told_in_words_who_may(
    bob: Client, study: Study, calibration: Calibration
) -> None:
    told = bob.post(f"/calibrations/{calibration.pk}/add/", {"samples": "K1; 7200; 2"})
    assert "Only a reviewer or an admin of this study can do this." in told.content.decode()
    told = bob.post(f"/studies/{study.pk}/retrain/")
    assert "Only an admin of this study can do this." in told.content.decode()
