"""A signed-in reader, and fields to count; no prediction is needed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser import sign_in
from tests.counting.pictures import smear_file
from tests.scripts import Script
from tests.stack import Stack


@pytest.fixture(scope="module")
def slide(script: Script) -> int:
    return script.new_slide("S1")


@pytest.fixture
def field(script: Script, slide: int, request: pytest.FixtureRequest) -> int:
    """A new field for each test."""
    seed = sum(map(ord, request.node.name))
    return script.upload(slide, smear_file(seed), f"{seed}.png")


@pytest.fixture
def page(web: Stack, new_page: Callable[..., Page]) -> Page:
    made = new_page()
    sign_in(made, web)
    return made


@pytest.fixture
def three(script: Script, request: pytest.FixtureRequest) -> list[int]:
    """Three fields of a study of their own, to be counted in this order."""
    script = Script(script.stack, script.token)
    script.study = script.post("/api/v1/studies/", {"name": request.node.name})["id"]
    slide = script.new_slide("S1")
    return [script.upload(slide, smear_file(seed), f"{seed}.png") for seed in range(3)]
