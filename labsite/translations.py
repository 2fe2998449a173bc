"""The catalogs of translated words: renewed from the sources, and compiled at set-up.

    python -m labsite.translations renew     # write labsite/locale/*/LC_MESSAGES/*.po anew
    python -m labsite.translations compile   # write django.mo for the server, words/*.js for pages

Babel does the work, so that nobody needs the gettext programs of their system. Django's settings
are not read: this runs before there are any, while a container image is built.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[1]
LOCALE = ROOT / "labsite" / "locale"
WORDS = ROOT / "static" / "words"
# Sources of each catalog: folders of Python files and templates, and of browser modules.
PYTHON = ("counting", "labsite")
TEMPLATES = "templates"
JAVASCRIPT = "static/js"
SERVER, BROWSER = "django", "djangojs"
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
}
NOTES = ("Translators:",)
# Headers that would change with each run and person.
UNTOLD = (
    b'"Report-Msgid-Bugs-To:',
    b'"POT-Creation-Date:',
    b'"PO-Revision-Date:',
    b'"Last-Translator:',
    b'"Generated-By:',
)


def messages(domain: str) -> Catalog:
    """Return every message of the sources, untranslated, with the files it stands in."""
    found = Catalog(charset="utf-8")
    for path in sorted(_sources(domain)):
        method = "javascript" if path.suffix == ".js" else "python"
        text = path.read_text()
        if path.suffix == ".html":
            # What is no message becomes filler; its indentation would mean something to Python.
            text = "\n".join(line.strip() for line in templatize(text).split("\n"))
        where = path.relative_to(ROOT).as_posix()
        for _line, words, notes, context in extract(
            method, io.BytesIO(text.encode()), KEYWORDS, NOTES, {"encoding": "utf-8"}
        ):
            found.add(words, locations=[(where, 0)], auto_comments=notes, context=context)
    return found


def _sources(domain: str) -> Iterable[Path]:
    if domain == BROWSER:
        return (ROOT / JAVASCRIPT).rglob("*.js")
    return [
        *(path for folder in PYTHON for path in (ROOT / folder).rglob("*.py")),
        *(ROOT / TEMPLATES).rglob("*.html"),
    ]


def languages() -> list[str]:
    """Return the codes of the languages that have catalogs."""
    return sorted(folder.name for folder in LOCALE.iterdir() if folder.is_dir())


def catalog_path(language: str, domain: str) -> Path:
    """Return where the catalog that translators edit lies."""
    return LOCALE / language / "LC_MESSAGES" / f"{domain}.po"


def compiled_paths(language: str) -> tuple[Path, Path]:
    """Return what set-up makes of a language: the server's catalog and the browser's."""
    return catalog_path(language, SERVER).with_suffix(".mo"), WORDS / f"{language}.js"


def read(language: str, domain: str) -> Catalog:
    """Return a catalog as it is."""
    with catalog_path(language, domain).open("rb") as file:
        return read_po(file, locale=language, domain=domain)


def renew() -> Iterator[str]:
    """Bring all catalogs up to date with the sources; yield what is left for the translator."""
    for language in languages():
        for domain in (SERVER, BROWSER):
            catalog = read(language, domain)
            # Only what is said counts, not when: the file changes when the words do.
            catalog.update(messages(domain), update_creation_date=False)
            catalog_path(language, domain).write_bytes(_written(catalog))
            for message in catalog:
                if message.id and (message.fuzzy or not message.string):
                    yield f"{language} {domain}: {message.id!r}"


def _written(catalog: Catalog) -> bytes:
    for message in catalog:
        # Guessed from braces; nothing here is filled with str.format.
        message.flags.discard("python-brace-format")
    file = io.BytesIO()
    write_po(file, catalog, width=100, include_lineno=False, ignore_obsolete=True)
    lines = file.getvalue().splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(UNTOLD))


def compile_all() -> None:
    """Write what the server and the pages read."""
    WORDS.mkdir(parents=True, exist_ok=True)
    for language in languages():
        server, browser = compiled_paths(language)
        server.write_bytes(server_words(language))
        browser.write_text(browser_words(language))


def server_words(language: str) -> bytes:
    """Return the server's catalog as Django reads it."""
    catalog = read(language, SERVER)
    # Babel would write the time of now: the same words are to be the same bytes.
    catalog.creation_date = datetime.fromtimestamp(0, UTC)
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def browser_words(language: str) -> str:
    """Return the pages' catalog as the script that static/js/lib/i18n.js looks things up in."""
    catalog = read(language, BROWSER)
    words: dict[str, str | list[str]] = {}
    for message in catalog:
        if not message.id or not message.string or message.fuzzy:
            continue
        if isinstance(message.id, str):
            words[message.id] = str(message.string)
        else:
            # One form for each number that the language tells apart; a single one comes bare.
            forms = message.string
            words[message.id[0]] = [forms] if isinstance(forms, str) else list(forms)
    text = json.dumps(words, ensure_ascii=False, separators=(",", ":"))
    return f"globalThis.translations={{plural:(n)=>Number({catalog.plural_expr}),words:{text}}};\n"


def main(arguments: list[str]) -> int:
    """Do what the command line asks for; 1 when words wait for a translator, 2 when unclear."""
    if arguments == ["compile"]:
        compile_all()
        return 0
    if arguments == ["renew"]:
        left = list(renew())
        for line in left:
            print(line)
        print(f"{len(left)} messages wait for a translation.")
        return 1 if left else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
