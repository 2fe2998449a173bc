"""How numbers are written for people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.utils import translation

from counting.dates import moment
from counting.errors import Refused
from counting.numbers import fixed, read, short, significant, span
from counting.statistics.intervals import Interval

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (7213.4, "7210"),
        (41_234, "41,200"),
        (0.034494, "0.0345"),
        (-0.06667, "−0.0667"),
        (0.000012, "0.0000"),
        (2, "2.00"),
        (0, "0"),
        (9.999, "10.00"),
    ],
)
def test_significant_digits(value: float, wanted: str) -> None:
    assert significant(value) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"), [(7200.0, "7200"), (2.4, "2.4"), (10_772.0, "10,772"), (-0.0, "0")]
)
def test_numbers_as_they_were_given(value: float, wanted: str) -> None:
    assert short(value) == wanted


def test_a_dash_stands_between_positive_ends_only() -> None:
    assert span(Interval(4.2, 16.44), 1) == "4.2–16.4"
    assert span(Interval(-0.458, 0.142)) == "−0.458 … 0.142"
    assert fixed(-0.01, 0) == "0"


def test_each_language_has_its_own_marks() -> None:
    with translation.override("id"):
        assert (significant(2.456), significant(41_234)) == ("2,46", "41.200")


@pytest.mark.parametrize(("language", "decimal"), [("en", "2.5"), ("id", "2,5")])
def test_what_is_no_number_is_told_with_an_example(language: str, decimal: str) -> None:
    with translation.override(language):
        assert read(decimal) == 2.5
        with pytest.raises(Refused, match=f"abc.*7200.*{decimal}"):
            read("abc")


@pytest.mark.parametrize("language", ["en", "id"])
def test_a_moment_is_written_one_way_in_every_language(language: str) -> None:
    with translation.override(language):
        assert moment(datetime(2026, 11, 8, 7, 5, tzinfo=UTC)) == "2026-11-08 07:05"
