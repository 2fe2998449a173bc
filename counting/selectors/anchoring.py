"""Whether a prediction sways the reader: what was counted blind, with it in view, and from it."""

from __future__ import annotations

from dataclasses import dataclass

from counting.models import Prediction, Reading
from counting.statistics.intervals import Estimate, Interval, difference_of_means, mean

from .agreement_data import MANY, Method, StudyCounts

# What the reader had: nothing; the prediction in view; the prediction as the count to begin with.
BLIND, ANEW, BEGUN = "blind", "anew", "begun"


@dataclass(frozen=True)
class Group:
    """Readings of one kind against the model, in cells per field. None where there are too few.

    `bias` is the mean of reader - model, `distance` that of its absolute value. `shift` and `pull`
    are those of the blind readings minus these: a pull above 0 means that these readers keep
    closer to the model than readers who do not see it. The blind group itself has neither.
    """

    kind: str
    n: int
    bias: Estimate | None
    distance: Estimate | None
    shift: Estimate | None
    pull: Estimate | None


@dataclass(frozen=True)
class Anchoring:
    """The groups `blind`, `anew` (shown, and counted anew) and `begun` (from the suggestion)."""

    model: str
    groups: list[Group]

    @property
    def few(self) -> list[Group]:
        """The groups that are too small for a figure."""
        return [group for group in self.groups if group.n < MANY]


def anchoring(counts: StudyCounts, model: Method) -> Anchoring:
    """Compare each reader's first reading of a field with the model's count of it.

    Blind fields are drawn at random, so the blind group differs from the readings that were made
    with this model's prediction in view by chance alone. Whether those began as the suggestion is
    each reader's own choice: these two may differ by who chose as well. What a reviewer counts to
    rule on a field is left out: both readings were in view. So is, among the blind, who came after
    another reader's reference count, which may have been known.

    Fields whose prediction is kept from this person take part from MANY of them on, as everywhere:
    with one of them among their own, a mean would give its prediction away.
    """
    predicted = counts.predictions.get(model.id, {})
    versions = _shown_versions(counts)
    off: dict[str, list[float]] = {BLIND: [], ANEW: [], BEGUN: []}
    withheld: dict[str, list[tuple[int, float]]] = {kind: [] for kind in off}
    for reader_id, by_field in counts.readings.items():
        for field_id, readings in by_field.items():
            first = readings[0]
            if field_id not in predicted or counts.code not in first.counts or first.ruling:
                continue
            difference = float(first.counts[counts.code] - predicted[field_id])
            if counts.fields[field_id].blind and first.shown_prediction_id is None:
                if (reader_id, field_id) in counts.late:
                    continue
                kind = BLIND
            elif versions.get(first.shown_prediction_id) == model.id:
                kind = BEGUN if first.method in Reading.BEGUN else ANEW
            else:
                continue
            if counts.hidden(field_id):
                withheld[kind].append((field_id, difference))
            else:
                off[kind].append(difference)
    for kind, rows in withheld.items():
        if len({field_id for field_id, _ in rows}) >= MANY:
            off[kind] += [difference for _, difference in rows]
    return Anchoring(model.name, [_group(kind, off[kind], off[BLIND]) for kind in off])


def _group(kind: str, off: list[float], blind: list[float]) -> Group:
    if len(off) < MANY:
        return Group(kind, len(off), None, None, None, None)
    far, far_blind = [abs(x) for x in off], [abs(x) for x in blind]
    compared = kind != BLIND and len(blind) >= MANY
    return Group(
        kind=kind,
        n=len(off),
        bias=mean(off),
        distance=_not_negative(mean(far)),
        shift=difference_of_means(blind, off) if compared else None,
        pull=difference_of_means(far_blind, far) if compared else None,
    )


def _not_negative(distance: Estimate) -> Estimate:
    """Cut off what Student's interval, which knows no bounds, puts below no distance at all."""
    ends = distance.interval
    return Estimate(distance.value, Interval(max(0.0, ends.low), ends.high))


def _shown_versions(counts: StudyCounts) -> dict[int | None, int]:
    """Return the model version of each prediction."""
    rows = Prediction.objects.filter(field__study=counts.study)
    return dict(rows.values_list("pk", "model_version_id"))
