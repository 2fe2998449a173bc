"""The gate's verdicts, and that each says why."""

from __future__ import annotations

from typing import Any

import pytest

from ml.evaluate import Told, score
from ml.gate import judge


def told(n: int = 20, **errors: float) -> dict[str, Any]:
    """Metrics of a model: its mean absolute error by cell type."""
    means = {"RBC": 25.0, "WBC": 1.0, "PLT": 2.0, "BLAST": 0.5}
    types = {code: {"n": n, "mae": error, "mean": means[code]} for code, error in errors.items()}
    return {"n": n, "types": types}


def verdict(champion: dict[str, Any], candidate: dict[str, Any]) -> tuple[bool, str]:
    made = judge(champion, candidate, tolerance=0.1, min_fields=5)
    assert made.text.endswith(".")
    return made.promote, made.text


def test_a_better_candidate_goes_live() -> None:
    promote, text = verdict(told(RBC=3.0, PLT=1.0), told(RBC=2.0, PLT=1.0))
    assert promote
    assert text == (
        "Better on 20 hold-out fields: red cells off by 2.00 instead of 3.00 a field and platelets "
        "still off by 1.00. Goes live."
    )


def test_worse_in_one_type_is_refused_however_good_the_rest_is() -> None:
    promote, text = verdict(told(RBC=3.0, PLT=1.0), told(RBC=0.5, PLT=1.2))
    assert not promote
    assert text == (
        "Worse for platelets on 20 hold-out fields: red cells off by 0.50 instead of 3.00 a field "
        "and platelets off by 1.20 instead of 1.00. The current model stays."
    )


def test_a_little_worse_in_one_type_is_within_the_tolerance() -> None:
    promote, text = verdict(told(RBC=3.0, PLT=1.0), told(RBC=2.0, PLT=1.09))
    assert promote, text


@pytest.mark.parametrize(("error", "live"), [(0.12, True), (0.14, False)])
def test_errors_below_one_cell_get_the_tolerance_of_one_cell(error: float, live: bool) -> None:
    # A tenth of one cell, not of 0.03 cells, which one field of twenty would pass.
    assert verdict(told(RBC=3.0, WBC=0.03), told(RBC=1.0, WBC=error))[0] is live


def test_the_same_is_not_better() -> None:
    promote, text = verdict(told(RBC=3.0, PLT=1.0), told(RBC=3.0, PLT=1.0))
    assert not promote
    assert text.startswith("No better on 20 hold-out fields: red cells still off by 3.00 a field")


@pytest.mark.parametrize(("n", "words"), [(0, "only 0 hold-out fields"), (1, "only 1 hold-out")])
def test_too_few_fields_are_not_judged(n: int, words: str) -> None:
    promote, text = verdict(told(n, RBC=3.0), told(n, RBC=0.0))
    assert not promote
    assert words in text
    assert f"Count {5 - n} more on the hold-out slides" in text


def test_few_platelets_are_not_drowned_by_many_red_cells() -> None:
    """Red cells lose 0.29, platelets win 0.2: in units of their counting noise that is a win."""
    assert verdict(told(RBC=3.0, PLT=1.0), told(RBC=3.29, PLT=0.8))[0]
    assert not verdict(told(RBC=3.0, PLT=1.0), told(RBC=3.29, PLT=0.95))[0]


def test_a_type_that_only_one_of_them_knows_is_not_compared() -> None:
    promote, text = verdict(told(RBC=3.0), told(RBC=2.0, BLAST=0.4))
    assert promote
    assert "BLAST" not in text
    promote, text = verdict(told(PLT=1.0), told(RBC=2.0))
    assert not promote
    assert text.startswith("Not judged")


def measured(true: list[int], told: list[int] | None) -> dict[str, Any]:
    """Metrics of a model that said this of a new type, or does not know it."""
    truths = [{"RBC": 25, "RET": count} for count in true]
    counts = [{"RBC": 25} | ({} if told is None else {"RET": told[i]}) for i in range(len(true))]
    answers = [Told(own, dict.fromkeys(own, (0, 50)), False) for own in counts]
    return score(truths, answers, ("RBC", "RET"), intervals=False)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([1, 1, 1, 1, 1, 1, 1, 1], "No better on 8 hold-out fields"),
        ([2, 2, 2, 2, 2, 2, 2, 2], "Worse for RET on 8 hold-out fields"),
        ([0, 0, 0, 1, 1, 2, 2, 3], "Better on 8 hold-out fields"),
    ],
    ids=["the best constant", "another constant", "told apart"],
)
def test_a_new_type_must_be_told_better_than_by_any_one_number(said: list[int], words: str) -> None:
    true = [0, 0, 0, 1, 1, 2, 2, 2]
    promote, text = verdict(measured(true, None), measured(true, said))
    assert text.startswith(words)
    assert promote is words.startswith("Better")
    assert "where one fixed number is off by 0.75" in text
