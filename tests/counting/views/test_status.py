"""The status page names what the installation rests on in words of its administrator."""

from __future__ import annotations

import re

from django.test import Client

from tests.stack import on_postgres


def test_the_database_and_the_broker_are_called_by_their_names(alice: Client) -> None:
    database, broker = ("postgresql", "redis") if on_postgres() else ("sqlite", "files")
    found = alice.get("/api/v1/status/").json()
    assert found["database"] == {"ok": True, "detail": database}
    assert found["broker"] == {"ok": True, "detail": broker}
    page = alice.get("/status/").content.decode()
    assert re.search(rf'data-part="broker">.*?Message broker.*?"meta small mono">{broker}<', page)
