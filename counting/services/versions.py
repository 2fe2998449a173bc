"""Two tabs or devices of one reader on one field: the second save is told, never swallowed."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _

from counting.errors import Newer, Refused
from counting.models import Reading

TAB = re.compile(r"\A[A-Za-z0-9_-]{0,40}\Z")


def is_repeated(last: Reading, given: Reading, based_on: int | None) -> bool:
    """Tell whether `given` only says again what `last` has already: an answer was lost.

    Raises:
        Newer: `given` is based on an older version and would overwrite what another tab saved.
    """
    if based_on is None or based_on == last.version:
        return False
    if (given.counts, given.marks) == (last.counts, last.marks):
        # A draft adds nothing to the same counts; a submission still adds the submission.
        return given.state == Reading.State.DRAFT or last.state == Reading.State.SUBMITTED
    if given.tab and given.tab == last.tab:
        return False
    raise Newer(
        _(
            "You submitted this field from another tab or device meanwhile. Nothing was "
            "overwritten: choose which counts hold."
        )
        if last.state == Reading.State.SUBMITTED
        else _(
            "This field was saved from another tab or device meanwhile. Nothing was overwritten: "
            "choose which counts hold."
        ),
        last.pk,
        {
            "mine": _summary(given) | {"version": based_on},
            "other": _summary(last)
            | {"revision": last.revision, "saved_at": last.updated_at.isoformat()},
        },
    )


def _summary(reading: Reading) -> dict[str, Any]:
    return {
        "version": reading.version,
        "state": reading.state,
        "counts": reading.counts,
        "marks": len(reading.marks),
        "seconds": reading.seconds,
    }


def check_version(version: object) -> int | None:
    """Return the version a save is based on, None when it does not say.

    Raises:
        Refused: it is not a whole number from 0.
    """
    if version is None:
        return None
    if isinstance(version, bool) or not isinstance(version, int) or version < 0:
        raise Refused(
            _("The version is the whole number that came with your reading, 0 for none."), "version"
        )
    return version


def check_tab(tab: object) -> str:
    """Return the name of the tab or script, empty when it has none.

    Raises:
        Refused: it is not a short word.
    """
    if not isinstance(tab, str) or not TAB.match(tab):
        raise Refused(
            _("The tab is a short word of up to 40 letters, digits, dashes and underscores."), "tab"
        )
    return tab
