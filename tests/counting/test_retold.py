"""What workers and the regressor said in English is told again in the reader's language."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import translation

from counting.retold import SENTENCES, retold, retold_lines
from ml import gate
from tests.language import LANGUAGE, Detector

pytestmark = pytest.mark.once

# Where sentences for people are said in `ml`: the functions and names that take one.
SAID = {
    "ml/pictures.py": ("BadPicture",),
    "ml/finetune.py": ("BadData", "step", "_within", "log"),
}
# Services whose sentences are kept by a worker.
KEPT = ("workers", "predictions", "trainer", "intake", "tiles", "imports")
# An import keeps why a file was refused; elsewhere a refusal is told at once.
REFUSALS_KEPT = ("intake",)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


@pytest.fixture(autouse=True)
def _indonesian() -> Iterator[None]:
    with translation.override(LANGUAGE):
        yield


@pytest.mark.parametrize("path", SAID)
def test_every_sentence_of_the_regressor_is_known(path: str) -> None:
    tree = ast.parse((Path(settings.BASE_DIR) / path).read_text())
    said = list(_texts(tree, SAID[path]))
    assert len(said) >= 5
    assert not [text for text in said if retold(text) == text]


def _texts(tree: ast.AST, names: tuple[str, ...]) -> Iterator[str]:
    """Yield what is given to these functions and names, with a number for what is filled in."""
    for node in ast.walk(tree):
        given: list[ast.expr] = []
        called = getattr(node, "func", None)
        if getattr(called, "id", getattr(called, "attr", "")) in names:
            assert isinstance(node, ast.Call)
            given = node.args
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in names:
            given = [node.value]
        for value in given:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                text = value.value
            elif isinstance(value, ast.JoinedStr):
                text = "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "7"
                    for part in value.values
                )
            else:
                continue
            if " " in text:
                yield text


@pytest.mark.parametrize("name", KEPT)
def test_every_sentence_that_a_worker_keeps_is_known(name: str) -> None:
    path = Path(settings.BASE_DIR) / "counting" / "services" / f"{name}.py"
    tree = ast.parse(path.read_text())
    kept = set(_translated(tree))
    if name not in REFUSALS_KEPT:
        kept -= {text for node in ast.walk(tree) if _refuses(node) for text in _translated(node)}
    assert kept
    assert kept <= set(SENTENCES)


def _translated(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_":
            yield ast.literal_eval(node.args[0])


def _refuses(node: ast.AST) -> bool:
    return isinstance(node, ast.Raise) and getattr(getattr(node.exc, "func", None), "id", "") in (
        "Refused",
        "Conflict",
    )


def _metrics(n: int, *, new: str = "", **errors: float) -> dict[str, Any]:
    """Errors by cell type; `new` is one that the champion does not know."""
    types: dict[str, dict[str, object]] = {
        code: {"n": n, "mae": mae, "mean": 9.0} for code, mae in errors.items()
    }
    if new:
        types[new]["constant"] = True
    return {"n": n, "types": types}


@pytest.mark.parametrize(
    ("before", "after", "begins"),
    [
        (
            _metrics(6, RBC=1.5, WBC=0.5, PLT=0.4),
            _metrics(6, RBC=1.2, WBC=0.5, PLT=0.3),
            "Lebih baik pada 6 lapang pandang uji: eritrosit meleset 1,20, semula 1,50, ",
        ),
        (_metrics(9, RBC=1.5), _metrics(9, RBC=9.5), "Lebih buruk untuk eritrosit pada 9 "),
        (
            _metrics(9, RBC=1.5, GRAN=1),
            _metrics(9, RBC=9.5, GRAN=9),
            "Lebih buruk untuk eritrosit dan GRAN pada 9 ",
        ),
        (
            _metrics(5, PLT=1.5),
            _metrics(5, PLT=1.5),
            "Tidak lebih baik pada 5 lapang pandang uji: ",
        ),
        (
            _metrics(6, new="RET", RET=0.75, PLT=0.4),
            _metrics(6, RET=0.5, PLT=0.4),
            "Lebih baik pada 6 lapang pandang uji: RET meleset 0,50, satu angka tetap meleset 0,75",
        ),
        (
            _metrics(1, RBC=1.5),
            _metrics(1, RBC=1.5),
            "Tidak diuji: baru 1 lapang pandang uji yang ",
        ),
    ],
    ids=["better", "worse", "two worse", "no better", "new type", "not judged"],
)
def test_a_verdict(
    before: dict[str, object], after: dict[str, object], begins: str, detector: Detector
) -> None:
    text = gate.judge(before, after, tolerance=0.1, min_fields=5).text
    told = retold(text)
    assert told.startswith(begins)
    assert not list(detector.english([told]))
    with translation.override("en"):
        assert retold(text) == text


def test_a_gain_that_chance_may_give() -> None:
    before, after = _metrics(6, RBC=1.5), _metrics(6, RBC=1.25)
    before["slides"] = after["slides"] = [0] * 6
    before["types"]["RBC"]["errors"] = [9, 0, 0, 0, 0, 0]
    after["types"]["RBC"]["errors"] = [0, 1, 2, 2, 2, 0.5]
    text = gate.judge(before, after, tolerance=0.1, min_fields=5).text
    assert text.startswith("Better on 6 hold-out fields, but by no more than chance")
    told = retold(text)
    assert "6 lapang pandang uji" in told
    assert "eritrosit meleset 1,25, semula 1,50" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "Reading field 3 of 12, about 40 s left",
            "Membaca lapang pandang 3 dari 12, kira-kira 40 dtk lagi",
        ),
        (
            "The run broke off: This archive is unknown. Try again",
            "Pelatihan terputus: This archive is unknown. Try again",
        ),
        (
            "The model failed on this picture: The stored picture is gone. Upload it again.",
            "Model gagal pada gambar ini: Gambar yang tersimpan sudah tidak ada. Unggah ulang.",
        ),
        ("Something nobody has heard of.", "Something nobody has heard of."),
        ("100 % done %(n)s", "100 % done %(n)s"),
        ("", ""),
    ],
)
def test_a_kept_sentence(text: str, told: str) -> None:
    assert retold(text) == told


def test_a_log_line_by_line() -> None:
    known = "Left out field 7: it has a mark outside its picture."
    printed = "UserWarning: something of a library"
    told = retold_lines(f"{known}\n{printed}\n").split("\n")
    assert told[0] not in ("", known)
    assert told[1:] == [printed, ""]
