"""Every word of the sources has its translation, and templates hold no words beside those."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages import Message
from django.template.base import Lexer, TokenType

from labsite import translations

pytestmark = pytest.mark.once

CATALOGS = [
    (language, domain)
    for language in translations.languages()
    for domain in (translations.SERVER, translations.BROWSER)
]
each_catalog = pytest.mark.parametrize(("language", "domain"), CATALOGS)
# What stays as it is in every language.
PLACES = re.compile(r"%\(\w+\)[sd]|%%|</?\w+[^>]*>")
TEMPLATES = sorted((translations.ROOT / "templates").rglob("*.html"))
SPOKEN = ("title", "alt", "aria-label", "placeholder", "label")
# The product's name, keys as keyboards have them, units, and an example of letters and numbers.
ALLOWED = {"HemaTally", "CSV", "PDF", "SVG", "µL", "µm/px", "K01; 7200; 2.4; 20"}
KEY = re.compile(r"\([A-Z][\w+]*\)")
GAP = "\ufffc"


def forms(words: str | tuple[str, ...] | list[str] | None) -> list[str]:
    return [words] if isinstance(words, str) else list(words or ())


@each_catalog
def test_the_catalog_holds_the_words_of_the_sources(language: str, domain: str) -> None:
    there = {message.id for message in translations.read(language, domain)}
    in_sources = {message.id for message in translations.messages(domain)}
    assert there == in_sources, "run `make translations`"


@each_catalog
def test_every_word_is_translated(language: str, domain: str) -> None:
    left = [
        message.id
        for message in translations.read(language, domain)
        if message.id and (message.fuzzy or not all(forms(message.string) or [""]))
    ]
    assert not left


@each_catalog
def test_translations_keep_what_is_filled_in(language: str, domain: str) -> None:
    assert not [
        message.id
        for message in translations.read(language, domain)
        if message.id and not _keeps_places(message)
    ]


def _keeps_places(message: Message) -> bool:
    """Each form has the places of the source's last form; one for one cell may lack the number."""
    wanted = Counter(PLACES.findall(forms(message.id)[-1]))
    return all(Counter(PLACES.findall(form)) == wanted for form in forms(message.string))


@pytest.mark.parametrize("language", translations.languages())
def test_what_set_up_compiled_is_what_translators_wrote(language: str) -> None:
    server, browser = translations.compiled_paths(language)
    assert server.read_bytes() == translations.server_words(language), "run `make setup`"
    assert browser.read_text() == translations.browser_words(language), "run `make setup`"


def test_the_words_for_a_page_are_few() -> None:
    for language in translations.languages():
        assert len(translations.browser_words(language).encode()) < 12_000


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_has_no_words_of_its_own(path: Path) -> None:
    assert not _own_words(path.read_text())


def test_words_of_its_own_would_be_found() -> None:
    page = """{% load i18n %}<p title="Close">{% translate "Fine" %}</p>{# a note #}
    <label>Your {{ thing }} here</label>{% comment %}Also a note{% endcomment %}
    {% blocktranslate %}Fine <b>as well</b>{% endblocktranslate %}<kbd>Esc</kbd>"""
    assert _own_words(page) == ["Close", "Your", "here"]


def _own_words(source: str) -> list[str]:
    """Return the texts of a template that no template tag makes."""
    pieces: list[str] = []
    within = ""
    for token in Lexer(source).tokenize():
        if token.token_type == TokenType.BLOCK:
            name, *more = token.split_contents()
            if within and name == f"end{within}":
                within = ""
            elif name in ("blocktranslate", "comment") or (name == "block" and "_class" in more[0]):
                within = name
        # A tag or value may stand in the middle of an attribute: something has to stay there.
        pieces.append(token.contents if token.token_type == TokenType.TEXT and not within else GAP)
    reader = _Texts()
    reader.feed("".join(pieces))
    return [
        text
        for found in reader.found
        for part in found.split(GAP)
        if (text := part.strip(" \n·"))
        and re.search(r"[^\W\d_]{2}", text)
        and text not in ALLOWED
        and not KEY.fullmatch(text)
    ]


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.silent = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("kbd", "script", "style"):
            self.silent = tag
        self.found += [value for name, value in attrs if name in SPOKEN and value]

    def handle_endtag(self, tag: str) -> None:
        if tag == self.silent:
            self.silent = ""

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.found.append(data.replace("–", "").strip(" \n·/"))


def test_no_words_of_a_script_hide_from_the_catalog() -> None:
    # What collects the words to translate does not look into a template literal's ${}.
    hidden = re.compile(r"\$\{[^}]*gettext\(")
    assert hidden.search('`${name}: ${on ? gettext("on") : gettext("off")}`')
    scripts = sorted((translations.ROOT / "static/js").rglob("*.js"))
    assert scripts
    assert not [path.name for path in scripts if hidden.search(path.read_text())]


def test_pages_with_words_in_scripts_load_them() -> None:
    """A module that says something, or imports one that does, comes after the words."""
    root = translations.ROOT
    speaking = {root / "static/js/lib/i18n.js"}
    modules = {path: path.read_text() for path in (root / "static/js").rglob("*.js")}
    while found := {
        path
        for path, text in modules.items()
        if path not in speaking and speaking & set(_imports(path, text))
    }:
        speaking |= found
    loaded = 0
    for template in TEMPLATES:
        text = template.read_text()
        scripts = re.findall(r"static '(js/[\w/.-]+)'", text)
        if any(root / "static" / script in speaking for script in scripts):
            loaded += 1
            assert '{% block scripts %}{% include "partials/words.html" %}' in text, template.name
    assert loaded


def _imports(path: Path, text: str) -> list[Path]:
    return [(path.parent / name).resolve() for name in re.findall(r'from "(\.[^"]+)"', text)]
