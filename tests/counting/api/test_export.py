"""The counts of a study as CSV say whose counts stand behind each number."""

from __future__ import annotations

import csv
import io

import pytest
from django.conf import settings
from django.test import Client

from counting.models import Field, Study
from tests.counting.conftest import People, count

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_readers(study: Study) -> None:
    Study.objects.filter(pk=study.pk).update(readers_per_field=2)


def exported(client: Client, field: Field, level: str = "field") -> dict[str, str]:
    """The row of a field's red cells, or of its slide's."""
    answer = client.get(f"/api/v1/studies/{field.study_id}/counts.csv")
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    rows = csv.DictReader(io.StringIO(text))
    return next(row for row in rows if (row["level"], row["cell_type"]) == (level, "RBC"))


@pytest.mark.usefixtures("two_readers")
def test_a_mean_comes_with_the_counts_that_it_is_of(
    alice: Client, field: Field, people: People
) -> None:
    count(field, people.bob, RBC=20)
    count(field, people.rita, RBC=22)
    row = exported(alice, field)
    assert (row["count"], row["basis"]) == ("21", "consensus")
    assert (row["reader"], row["reader_count"]) == ("bob + rita", "20 + 22")


@pytest.mark.usefixtures("two_readers")
def test_a_ruling_names_whose_count_it_is_and_who_ruled(
    alice: Client, field: Field, people: People
) -> None:
    count(field, people.bob, RBC=20)
    count(field, people.rita, RBC=40)
    assert exported(alice, field)["ruled_by"] == ""
    chosen = field.readings.get(reader=people.rita)
    alice.post(f"/api/v1/fields/{field.pk}/rulings/", {"reading": chosen.pk})
    for row in (exported(alice, field), exported(alice, field, level="slide")):
        assert (row["count"], row["reader"], row["ruled_by"]) == ("40", "rita", "alice")
    assert exported(alice, field)["basis"] == "ruling"

    # A count of the reviewer's own is both.
    count(field, people.alice, RBC=30)
    row = exported(alice, field)
    assert (row["count"], row["reader"], row["ruled_by"]) == ("30", "alice", "alice")


def test_each_row_names_the_counting_rule_in_the_same_words_for_everybody(
    alice: Client, field: Field
) -> None:
    Study.objects.update(counting_rule="none")
    for language in ("en", "id"):
        alice.cookies[settings.LANGUAGE_COOKIE_NAME] = language
        for level in ("field", "slide"):
            row = exported(alice, field, level)
            assert row["counting_rule"] == "Count whole cells only, none that the edge cuts"
