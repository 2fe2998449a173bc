"""Finds English words where another language should stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser

from labsite import translations

LANGUAGE = "id"
# Words no English sentence does without, and that are no words of Bahasa Indonesia.
ENGLISH = re.compile(
    r"(?i)\b(the|of|and|is|are|was|were|this|that|these|with|without|for|not|your|you|from|it|its|"
    r"has|have|which|when|what|they|there|then|than)\b"
)
PLACE = re.compile(r"%\(\w+\)[sd]")
SPOKEN = (
    "title",
    "alt",
    "aria-label",
    "placeholder",
    "label",
    "data-done",
    "data-label-system",
    "data-label-light",
    "data-label-dark",
)
VOID = frozenset(("input", "img", "link", "meta", "br", "hr", "use", "circle", "rect", "line"))
SILENT = frozenset(("script", "style"))


class Words(HTMLParser):
    """Collects what a page says: text, and the attributes that are read or shown.

    Leaves out what is marked as being in another language, and the text of keyboards' keys.
    """

    def __init__(self, html: str, language: str = LANGUAGE) -> None:
        super().__init__()
        self.found: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self._language = language
        self._open: list[tuple[str, bool]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        other = told.get("lang", self._language) != self._language
        silent = other or tag in SILENT or tag == "kbd" or (bool(self._open) and self._open[-1][1])
        if tag not in VOID:
            self._open.append((tag, silent))
        self.attributes += [(tag, name, value) for name, value in told.items()]
        if not silent:
            self.found += [value for name, value in told.items() if name in SPOKEN and value]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place][0] == tag:
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text and not (self._open and self._open[-1][1]):
            self.found.append(text)


class Detector:
    """Knows the English side of the catalogs, and tells where it was left standing."""

    def __init__(self) -> None:
        english: set[str] = set()
        translated: set[str] = set()
        for domain in (translations.SERVER, translations.BROWSER):
            for message in translations.read(LANGUAGE, domain):
                if message.id:
                    english |= set(_parts(message.id))
                    translated |= set(_parts(message.string or ()))
        own = [
            part for part in english - translated if re.search(r"[^\W\d_]{2}", PLACE.sub("", part))
        ]
        self._whole = [re.compile(_pattern(part)) for part in own]
        # Sentences are found within a text too; single words might be part of a name.
        self._within = [
            re.compile(rf"\b{_pattern(part)}")
            for part in own
            if len(re.findall(r"[^\W\d_]{2,}", PLACE.sub("", part))) >= 3
        ]

    def english(self, texts: Iterable[str], given: Iterable[str] = ()) -> Iterator[str]:
        """Yield the texts that hold English; `given` are names that people chose."""
        names = sorted(given, key=len, reverse=True)
        for text in texts:
            bare = text
            for name in names:
                bare = bare.replace(name, "§")
            if (
                ENGLISH.search(bare)
                or any(pattern.fullmatch(bare) for pattern in self._whole)
                or any(pattern.search(bare) for pattern in self._within)
            ):
                yield text


def _parts(words: str | Iterable[str]) -> Iterator[str]:
    """Yield the texts between the tags of a message, as a page shows them."""
    for form in [words] if isinstance(words, str) else words:
        for part in re.split(r"<[^>]+>", form):
            text = " ".join(part.replace("%%", "%").split())
            if text:
                yield text


def _pattern(part: str) -> str:
    return ".+?".join(re.escape(piece) for piece in PLACE.split(part))
