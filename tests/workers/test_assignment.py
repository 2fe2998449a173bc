"""Readers who ask at the same moment, over HTTP, on the real web server and database."""

from __future__ import annotations

import json
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
# Makes the readers of a study and prints their tokens.
MAKE_READERS = """
import json
from django.contrib.auth.models import User
from counting.models import Membership
from counting.services.tokens import create_token
users = [User.objects.create_user(f"reader-{{n}}") for n in range({readers})]
for user in users:
    for study in {studies}:
        Membership.objects.create(study_id=study, user=user, role="reader")
print(json.dumps([create_token(user=user) for user in users]))
"""


def test_readers_who_ask_at_once_never_share_a_place(stack_factory: Callable[[], Stack]) -> None:
    stack = stack_factory()
    stack.manage("setup_lab")
    stack.start("web")
    admin = Script.sign_in(stack)
    studies = {}
    for places in (1, 2):
        body = {"name": f"{places} readers", "readers_per_field": places}
        admin.study = studies[places] = admin.post("/api/v1/studies/", body)["id"]
        slide = admin.new_slide("S1")
        for seed in range(FIELDS):
            admin.upload(slide, smear_file(seed), f"{seed}.png")
    code = MAKE_READERS.format(readers=READERS, studies=list(studies.values()))
    tokens = json.loads(stack.manage("shell", "-c", code).splitlines()[-1])

    for places, study in studies.items():
        together = threading.Barrier(READERS)

        def read_all(
            token: str, study: int = study, together: threading.Barrier = together
        ) -> list[int]:
            script = Script(stack, token, study)
            got = []
            together.wait(30)
            while (field := script.get(f"/api/v1/studies/{study}/next/")["field"]) is not None:
                got.append(field)
                script.post(f"/api/v1/fields/{field}/readings/", {"counts": {"RBC": 8}})
            return got

        with ThreadPoolExecutor(READERS) as pool:
            read = list(pool.map(read_all, tokens))
        assert all(len(set(fields)) == len(fields) for fields in read)
        given = Counter(field for fields in read for field in fields)
        assert len(given) == FIELDS
        assert set(given.values()) == {places}
