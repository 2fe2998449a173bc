"""`manage.py serve`: prepare the data folder, then run web server, workers and scheduler."""

from __future__ import annotations

import io
import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from labsite.processes import port_is_free
from labsite.supervisor import take_lock


class Command(BaseCommand):
    """Starts everything HemaTally needs on this computer, in one terminal."""

    help = "Run HemaTally: web server, inference worker, training worker and scheduler."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen."""
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--no-demo", action="store_true", help="make no demo study")

    def handle(self, *, host: str, port: int, **options: Any) -> NoReturn:
        """Take the data folder, check the port, bring everything up to date, become the supervisor.

        Raises CommandError with a sentence when the folder or the port is taken.
        """
        data_dir = Path(settings.DATA_DIR)
        lock = take_lock(data_dir)
        if lock is None:
            raise CommandError(
                f"HemaTally already runs with the data in {data_dir}. Stop it first, or name "
                "another folder in DATA_DIR."
            )
        if not port_is_free(host, port):
            raise CommandError(
                f"port {port} is taken by another program. Choose another: make run PORT={port + 1}"
            )
        notes = self.prepare()
        self.become_supervisor(host, port, data_dir, lock, notes)

    def prepare(self) -> str:
        """Bring database, browser files and first content up to date; return what to tell people.

        All in one process: each start of Django costs a second.
        """
        self.stdout.write("HemaTally prepares its data folder...")
        call_command("migrate", verbosity=0, interactive=False)
        call_command("collectstatic", verbosity=0, interactive=False)
        told = io.StringIO()
        try:
            call_command("setup_lab", stdout=told)
        except BaseException:
            # It may have told a first password, which it never tells twice.
            self.stdout.write(told.getvalue())
            raise
        return told.getvalue()

    def become_supervisor(
        self, host: str, port: int, data_dir: Path, lock: int, notes: str
    ) -> NoReturn:
        """Replace this process: the supervisor needs none of the memory Django takes.

        The lock and the notes (which may hold a password, so neither arguments nor environment)
        are handed over as open files.
        """
        reading, writing = os.pipe()
        with os.fdopen(writing, "w") as stream:
            stream.write(notes[:4000])
        os.set_inheritable(lock, True)
        os.set_inheritable(reading, True)
        self.stdout.flush()
        where = ["--host", host, "--port", str(port), "--data-dir", str(data_dir)]
        os.environ["PYTHONPATH"] = os.pathsep.join(
            part for part in (str(settings.BASE_DIR), os.environ.get("PYTHONPATH", "")) if part
        )
        os.execv(  # noqa: S606
            sys.executable,
            [sys.executable, "-m", "labsite.supervisor", *where, "--notes", str(reading)],
        )
