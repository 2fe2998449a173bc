"""The gate's verdicts, and that each says why."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from ml.evaluate import Told, score
from ml.gate import judge, least_gain


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


def field_by_field(
    champion: list[int], candidate: list[int], slides: str = ""
) -> tuple[bool, str, bool]:
    """The verdict on two models by how many red cells they are off in each field; a letter each
    for the fields' slides.
    """
    truths = [{"RBC": 20}] * len(champion)
    before, after = (
        score(
            truths,
            [Told({"RBC": 20 + off}, {"RBC": (0, 50)}, False) for off in errors],
            ("RBC",),
            intervals=False,
            slides=list(slides or "a" * len(champion)),
        )
        for errors in (champion, candidate)
    )
    made = judge(before, after, tolerance=0.1, min_fields=5)
    return made.promote, made.text, made.by_chance


@pytest.mark.parametrize(
    ("champion", "candidate"),
    [
        ([3, 2, 4, 3, 2], [1, 1, 2, 1, 1]),
        ([3, 0, 4, 3, 2, 2], [1, 1, 2, 1, 1, 1]),
        ([2] * 40, [2, 1] * 20),
    ],
    ids=["all of five", "five of six", "half of forty"],
)
def test_a_gain_beyond_chance_goes_live(champion: list[int], candidate: list[int]) -> None:
    promote, text, by_chance = field_by_field(champion, candidate)
    assert (promote, by_chance) == (True, False), text
    assert text.startswith(f"Better on {len(champion)} hold-out fields: ")


@pytest.mark.parametrize(
    ("champion", "candidate"),
    [
        ([9, 2, 2, 2, 2, 2, 2, 2], [0, 3, 3, 3, 2, 2, 2, 2]),
        ([3, 1, 2, 3, 1], [1, 2, 1, 1, 2]),
        ([2] * 40, [1] * 3 + [2] * 35 + [3, 2]),
    ],
    ids=["one field of eight", "two of five worse", "three and one of forty"],
)
def test_a_gain_that_chance_may_give_does_not(champion: list[int], candidate: list[int]) -> None:
    promote, text, by_chance = field_by_field(champion, candidate)
    assert (promote, by_chance) == (False, True), text
    assert text.startswith(
        f"Better on {len(champion)} hold-out fields, but by no more than chance may give: "
        f"red cells off by {sum(candidate) / len(candidate):.2f} instead of "
    )
    assert text.endswith(" The current model stays. Count more hold-out fields to tell.")


def test_slides_that_do_not_agree_count_as_few_however_many_fields_they_have() -> None:
    before, after = [2] * 24, [0] * 12 + [2] * 12
    assert field_by_field(before, after, "ab" * 12)[0]
    # The same errors, but all of the gain lies on one slide.
    promote, text, by_chance = field_by_field(before, after, "a" * 12 + "b" * 12)
    assert (promote, by_chance) == (False, True), text
    # More fields of these two would not tell.
    assert text.endswith(" The current model stays. Count more hold-out slides to tell.")
    # Slides that agree add nothing to what their few fields tell.
    assert not field_by_field([3, 1, 3, 1, 2, 2], [1, 2, 1, 2, 2, 2], "aabbcc")[0]


@pytest.mark.parametrize(("gain", "least", "most"), [(-0.5, 0, 0.03), (0, 0, 0.14), (1.5, 0.9, 1)])
@pytest.mark.parametrize(("slides", "alike"), [(1, 0.0), (3, 0.0), (3, 0.2)])
def test_chance_lets_one_in_ten_live(
    slides: int, alike: float, gain: float, least: float, most: float
) -> None:
    """Eight fields a slide; a field's gain has a standard deviation of 1, `alike` of its variance
    shared by its slide. Of candidates that are no better, one in ten goes live at most.
    """
    chance, draws, live = random.Random(0), 400, 0
    for _ in range(draws):
        own = [chance.gauss(gain, math.sqrt(alike)) for _ in range(slides)]
        of = [slide for slide in range(slides) for _ in range(8)]
        gains = [chance.gauss(own[slide], math.sqrt(1 - alike)) for slide in of]
        live += least_gain(gains, of) > 0
    assert least <= live / draws <= most


def test_one_slide_whose_fields_are_alike_errs_twice_as_often() -> None:
    """What it cannot tell (docs/training.md): whether other slides are like it."""
    chance, draws, live = random.Random(0), 400, 0
    for _ in range(draws):
        own = chance.gauss(0.0, math.sqrt(0.2))
        live += least_gain([chance.gauss(own, math.sqrt(0.8)) for _ in range(8)], [0] * 8) > 0
    assert 0.15 <= live / draws <= 0.3


def test_a_type_counted_in_some_fields_weighs_by_those() -> None:
    """Platelets were counted in half of the fields only, and are told better in all of these."""
    truths = [{"RBC": 20, "PLT": 3} if i % 2 else {"RBC": 20} for i in range(12)]
    told = [
        [Told({"RBC": 20, "PLT": said}, dict.fromkeys(("RBC", "PLT"), (0, 50)), False)] * 12
        for said in (6, 3)
    ]
    before, after = (
        score(truths, answers, ("RBC", "PLT"), intervals=False, slides=["a"] * 12)
        for answers in told
    )
    assert before["types"]["PLT"]["errors"] == [None, 3] * 6
    made = judge(before, after, tolerance=0.1, min_fields=5)
    assert made.promote, made.text


def measured(true: list[int], told: list[int] | None) -> dict[str, Any]:
    """Metrics of a model that said this of a new type, or does not know it."""
    truths = [{"RBC": 25, "RET": count} for count in true]
    counts = [{"RBC": 25} | ({} if told is None else {"RET": told[i]}) for i in range(len(true))]
    answers = [Told(own, dict.fromkeys(own, (0, 50)), False) for own in counts]
    slides = ["a"] * len(true)
    return score(truths, answers, ("RBC", "RET"), intervals=False, slides=slides)


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
