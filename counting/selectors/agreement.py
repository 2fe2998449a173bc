"""How well two ways of counting agree.

Formulas and sources: docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from counting.errors import Refused
from counting.models import CellType, ModelVersion, Study
from counting.statistics.bland_altman import Agreement, bland_altman
from counting.statistics.intervals import Estimate, mean
from counting.statistics.passing_bablok import Line, passing_bablok
from counting.statistics.ranges import RangeBias, bias_by_range
from counting.statistics.reliability import coefficient_of_variation, icc_agreement

from .agreement_data import (
    REFERENCE,
    Method,
    Pair,
    StudyCounts,
    find_method,
    methods_of,
    pairs_of,
    pooled,
    study_counts,
)
from .anchoring import Anchoring, anchoring

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Below this no figure is worth printing.
FEWEST = 5
BLIND = "blind"


@dataclass(frozen=True)
class Choice:
    """What is compared."""

    cell_type: CellType
    first: Method
    second: Method
    unassisted: bool


@dataclass(frozen=True)
class Figures:
    """The agreement over `n` fields; differences are first - second."""

    n: int
    agreement: Agreement
    line: Line | None
    icc: Estimate | None
    between: Estimate | None


@dataclass(frozen=True)
class SlideBias:
    """The mean difference on one slide; without an interval for a single field."""

    slide: str
    n: int
    mean: float
    bias: Estimate | None


@dataclass(frozen=True)
class Within:
    """How well one reader repeats: coefficient of variation over fields counted again."""

    method: Method
    n: int
    variation: Estimate | None


@dataclass(frozen=True)
class Comparison:
    """All about one pair of methods. `points` are those that this person may see one by one;
    `assisted` of the compared fields a reader counted who may have followed the compared model.
    """

    choice: Choice
    points: list[Pair]
    withheld: int
    assisted: int
    figures: Figures | None
    ranges: list[RangeBias]
    slides: list[SlideBias]
    within: list[Within]


@dataclass(frozen=True)
class OverviewRow:
    """One method against the reference counts; None where too few fields were counted so."""

    method: Method
    n: int
    figures: Figures | None


@dataclass(frozen=True)
class AgreementPage:
    """What the agreement of a study shows."""

    study: Study
    methods: list[Method]
    choice: Choice
    comparison: Comparison
    overview: list[OverviewRow]
    anchoring: Anchoring | None


def agreement_page(study: Study, user: User, given: Mapping[str, str]) -> AgreementPage:
    """Return the agreement in a study for `user`.

    given: `cell_type` (a code), `first` and `second` (keys of methods) and `readings` (`blind`
    for counts without a prediction shown), all optional.

    Raises:
        Refused: there is no such cell type or method, or both methods are the same.
    """
    methods = methods_of(study)
    choice = _choice(study, methods, given)
    model = _model_of(choice, methods)
    counts = study_counts(study, user, choice.cell_type.code)
    return AgreementPage(
        study=study,
        methods=methods,
        choice=choice,
        comparison=_compare(counts, choice),
        overview=[
            _against_reference(counts, method, methods[0], choice.unassisted)
            for method in methods[1:]
        ],
        anchoring=anchoring(counts, model) if model else None,
    )


def _choice(study: Study, methods: Sequence[Method], given: Mapping[str, str]) -> Choice:
    types = list(study.cell_types.all())
    code = given.get("cell_type") or types[0].code
    cell_type = next((row for row in types if row.code == code), None)
    if cell_type is None:
        raise Refused(
            _("This study does not count %(code)s. It counts: %(codes)s.")
            % {"code": code[:40], "codes": ", ".join(row.code for row in types)},
            "cell_type",
        )
    champion = ModelVersion.objects.filter(study=study, state=ModelVersion.State.CHAMPION).first()
    usual = f"model:{champion.pk}" if champion else methods[-1].key
    first = find_method(methods, given.get("first") or usual)
    second = find_method(methods, given.get("second") or REFERENCE)
    if first == second:
        raise Refused(_("Choose two different ways of counting to compare."), "method")
    return Choice(cell_type, first, second, given.get("readings") == BLIND)


def _figures(pairs: Sequence[Pair]) -> Figures | None:
    used = pooled(pairs)
    if len(used) < FEWEST:
        return None
    first, second = [pair.first for pair in used], [pair.second for pair in used]
    both = [(pair.first, pair.second) for pair in used]
    return Figures(
        n=len(used),
        agreement=bland_altman(first, second),
        line=passing_bablok(second, first),
        icc=icc_agreement(both),
        between=coefficient_of_variation(both),
    )


def _compare(counts: StudyCounts, choice: Choice) -> Comparison:
    pairs = pairs_of(counts, choice.first, choice.second, unassisted=choice.unassisted)
    shown = [pair for pair in pairs if not pair.withheld]
    against_model = "model" in (choice.first.kind, choice.second.kind)
    return Comparison(
        choice=choice,
        points=shown,
        withheld=len(pairs) - len(shown),
        assisted=sum(pair.assisted for pair in pooled(pairs)) if against_model else 0,
        figures=_figures(pairs),
        ranges=bias_by_range([p.first for p in shown], [p.second for p in shown]),
        slides=_by_slide(shown),
        within=[
            _within(counts, method)
            for method in (choice.first, choice.second)
            if method.kind == "reader"
        ],
    )


def _by_slide(pairs: Sequence[Pair]) -> list[SlideBias]:
    rows = []
    for slide, group in groupby(sorted(pairs, key=lambda pair: pair.slide), lambda p: p.slide):
        differences = [float(pair.first - pair.second) for pair in group]
        bias = mean(differences) if len(differences) > 1 else None
        average = sum(differences) / len(differences)
        rows.append(SlideBias(slide, len(differences), average, bias))
    return rows


def _within(counts: StudyCounts, method: Method) -> Within:
    """Compare the first and the last submitted reading of fields that a reader counted again."""
    pairs = []
    for readings in counts.readings.get(method.id, {}).values():
        both = [row.counts[counts.code] for row in readings if counts.code in row.counts]
        if len(both) > 1:
            pairs.append((both[0], both[-1]))
    enough = len(pairs) >= FEWEST
    return Within(method, len(pairs), coefficient_of_variation(pairs) if enough else None)


def _against_reference(
    counts: StudyCounts, method: Method, reference: Method, unassisted: bool
) -> OverviewRow:
    pairs = pairs_of(counts, method, reference, unassisted=unassisted)
    return OverviewRow(method, len(pooled(pairs)), _figures(pairs))


def _model_of(choice: Choice, methods: Sequence[Method]) -> Method | None:
    """Return the compared model, else the newest."""
    candidates = (choice.first, choice.second, *methods)
    return next((method for method in candidates if method.kind == "model"), None)
