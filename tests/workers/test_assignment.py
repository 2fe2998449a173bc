"""Readers who ask at the same moment, over HTTP, on the real web server and database."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.counting.pictures import smear_file
from tests.scripts import Script
from tests.stack import Stack

pytestmark = pytest.mark.stack

READERS, FIELDS = 4, 10
NAMES = [f"reader-{n}" for n in range(READERS)]


def test_readers_who_ask_at_once_never_share_a_place(stack_factory: Callable[[], Stack]) -> None:
    stack = stack_factory()
    stack.start("web")
    admin = Script.sign_in(stack)
    studies = {}
    for places in (1, 2):
        body = {"name": f"{places} readers", "readers_per_field": places}
        admin.study = studies[places] = admin.post("/api/v1/studies/", body)["id"]
        slide = admin.new_slide("S1")
        for seed in range(FIELDS):
            admin.upload(slide, smear_file(seed), f"{seed}.png")
    readers = admin.colleagues(*NAMES)
    admin.study = studies[1]
    admin.enroll(*NAMES)

    for places, study in studies.items():
        together = threading.Barrier(READERS)

        def read_all(
            script: Script, study: int = study, together: threading.Barrier = together
        ) -> list[int]:
            got = []
            together.wait(30)
            while (field := script.get(f"/api/v1/studies/{study}/next/")["field"]) is not None:
                got.append(field)
                script.post(f"/api/v1/fields/{field}/readings/", {"counts": {"RBC": 8}})
            return got

        with ThreadPoolExecutor(READERS) as pool:
            read = list(pool.map(read_all, readers))
        assert all(len(set(fields)) == len(fields) for fields in read)
        given = Counter(field for fields in read for field in fields)
        assert len(given) == FIELDS
        assert set(given.values()) == {places}
