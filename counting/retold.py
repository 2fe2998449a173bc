"""Sentences that were said in English once, told again in the language of who reads them.

Workers keep sentences in the database before anybody reads them, and `ml` knows no Django. Both
speak English. What they can say stands here, so that translators find it; a test compares this
list with what `ml` and the workers' services say.
"""

from __future__ import annotations

import re
from functools import cache

from django.utils.formats import number_format
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_noop as _

SENTENCES = (
    # ml/pictures.py
    _("This file is empty. Export the picture again and retry."),
    _("This file is larger than %(n)s MB. Save it as JPEG, or cut it into fields."),
    _("This picture has more than %(n)s million pixels. Cut it into fields or save it smaller."),
    _(
        "This picture is damaged or cut short and cannot be read to its end. "
        "Copy or export it again and retry."
    ),
    _(
        "This is not a picture that can be read here, whatever its name says. "
        "Use JPEG, PNG, TIFF, BMP or WebP."
    ),
    _(
        "This picture is only %(width)s x %(height)s pixels; a field needs at least %(n)s on each "
        "side."
    ),
    _(
        "This file holds several pictures (an animation or a stack). "
        "Save the one to count as a file of its own."
    ),
    _("The gray values of this picture are outside 0 to 65535. Save it with 8 or 16 bits."),
    # ml/finetune.py
    _("Reading field %(n)s of %(all)s"),
    _("Learning the study's counts"),
    _("Learning how far to trust the counts"),
    _("Judging on hold-out field %(n)s of %(all)s"),
    _("Done"),
    _("No counted fields to learn from. Count some fields, then retrain."),
    _("None of the pictures to learn from can be read. Upload them again."),
    _(
        "This bundle counts in pictures of one fixed size and cannot learn from a study. "
        "Use a bundle with the head map."
    ),
    _("Learning from %(fields)s, judging on %(held_out)s."),
    _("Only new cell types are counted: the counts of the others stay as they are."),
    _("The bundle has no base features to replay: it may forget other slides."),
    _("%(folder)s holds another training, which ends here: %(differences)s."),
    _("Left out hold-out field %(field)s: %(error)s"),
    _("Left out field %(field)s: %(error)s"),
    _("Left out field %(field)s: it has a mark outside its picture."),
    _("its picture is missing."),
    _("%(n)s field"),
    _("%(n)s fields"),
    # ml/__main__.py
    _("Cancelled. Started again with the same folder, it goes on from here."),
    # ml/gate.py, and the parts its verdicts are made of
    _(
        "Not judged: only %(fields)s counted, %(needed)s are needed. "
        "Count %(missing)s more on the hold-out slides, then retrain."
    ),
    _("Worse for %(types)s on %(fields)s: %(told)s. The current model stays."),
    _("Better on %(fields)s: %(told)s. Goes live."),
    _(
        "Better on %(fields)s, but by no more than chance may give: %(told)s. "
        "The current model stays. Count more hold-out fields to tell."
    ),
    _(
        "Better on %(fields)s, but by no more than chance may give: %(told)s. "
        "The current model stays. Count more hold-out slides to tell."
    ),
    _("No better on %(fields)s: %(told)s. The current model stays."),
    _("%(n)s hold-out field"),
    _("%(n)s hold-out fields"),
    _("%(type)s off by %(new)s instead of %(old)s a field"),
    _("%(type)s off by %(new)s instead of %(old)s"),
    _("%(type)s off by %(new)s where one fixed number is off by %(old)s a field"),
    _("%(type)s off by %(new)s where one fixed number is off by %(old)s"),
    _("%(type)s still off by %(new)s a field"),
    _("%(type)s still off by %(new)s"),
    _("red cells"),
    _("white cells"),
    _("platelets"),
    # counting/services: the workers
    _("Waiting for the training worker"),
    _("Cancelled"),
    _("Failed"),
    _("%(step)s, about %(seconds)d s left"),
    _("The run broke off: %(error)s"),
    _("The trainer was killed, most likely because memory ran out. Close programs."),
    _("The trainer ended with status %(code)d. %(last)s"),
    _("%(name)s became champion meanwhile; the candidate was not judged against it."),
    _("The worker died each of the %(tries)d times it tried this."),
    _("The stored picture is gone. Upload it again."),
    _("The model failed on this picture: %(error)s"),
    _("The database did not answer while this run was under way."),
    _("The tiles could not be made: %(error)s"),
    _("The archive is gone. Upload it again."),
    _("The import broke off: %(error)s"),
    _("This is not a zip archive that can be read. Pack the pictures again."),
    _("This archive is empty."),
    _("This archive has a password. Pack it without one."),
    _("This archive holds %(n)d files; at most %(most)d are taken at once. Split it."),
    _("This archive unpacks to more than is taken at once. Split it."),
    _("This picture is in the study already: %(name)s on slide %(slide)s."),
    _(
        "This file name looks as if it held a record number or a date. "
        "Use names that say nothing about a patient."
    ),
    _("This file is damaged inside the archive."),
)
SAID_IN = "en"
PLACE = re.compile(r"%\((\w+)\)[sd]")
NUMBER = re.compile(r"\d+\.\d+")
# What may stand in a place: anything, except in those that keep lists and sentences apart.
FIGURES = ("n", "all", "new", "old", "needed", "missing", "width", "height", "seconds", "tries")
WITHIN = {"type": r"[\w ]+?", **dict.fromkeys(FIGURES, r"\d+(?:\.\d+)?")}


def retold(text: str) -> str:
    """Return `text` in the reader's language; what is not among SENTENCES stays as it is.

    Several sentences after each other, lists, and what fills the places are told again as well.
    """
    if not text or (get_language() or SAID_IN) == SAID_IN:
        return text
    if NUMBER.fullmatch(text):
        return str(number_format(text))
    return _as_known(text) or _in_parts(text) or text


def retold_lines(text: str) -> str:
    """Return a log with each line told again; what a program printed beside it stays as it is."""
    return "\n".join(retold(line) for line in text.split("\n"))


def _as_known(text: str) -> str:
    for pattern, sentence in _patterns():
        found = pattern.fullmatch(text)
        if found is not None:
            values = {name: retold(value) for name, value in found.groupdict().items()}
            # Numbers come as text here.
            words = re.sub(r"%\((\w+)\)d", r"%(\1)s", gettext(sentence))
            return words % values if values else words
    return ""


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Return the sentences as patterns, those with the most words of their own first."""
    by_words = sorted(SENTENCES, key=lambda sentence: -len(PLACE.sub("", sentence)))
    return [(_pattern(sentence), sentence) for sentence in by_words]


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = PLACE.split(sentence)
    # Every second part is the name of a place.
    return re.compile(
        "".join(
            f"(?P<{part}>{WITHIN.get(part, '.+?')})" if n % 2 else re.escape(part)
            for n, part in enumerate(parts)
        ),
        re.DOTALL,
    )


def _in_parts(text: str) -> str:
    for end in re.finditer(r"(?<=[.!?]) ", text):
        first = _as_known(text[: end.start()])
        if first:
            return f"{first} {retold(text[end.end() :])}"
    items, _and, last = text.rpartition(" and ")
    # A cell type without a name is called by its code.
    told = [_as_known(item) or item * item.isupper() for item in [*items.split(", "), last]]
    if _and and all(told):
        words = {"items": ", ".join(told[:-1]), "last": told[-1]}
        return gettext("%(items)s and %(last)s") % words
    return ""
