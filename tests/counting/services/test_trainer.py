"""What becomes of a run while its trainer works: a stand-in says what a trainer says, in no time.

The real one is in tests/workers/test_training.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from counting.models import Field, JobState, Slide, Study, TrainingRun, Worker
from counting.services import jobs, registry, trainer, training, workers
from tests.counting.conftest import People, add_fields, count

pytestmark = pytest.mark.django_db

STAND_IN = """
import shutil, sys
from pathlib import Path
told = dict(zip(sys.argv[2::2], sys.argv[3::2]))
shutil.copytree(told["--bundle"], told["--out"] + "/bundle", dirs_exist_ok=True)
print(Path("says").read_text(), flush=True)
"""

VERDICT = {"event": "result", "verdict": {"promote": True, "text": "Better. Goes live."}}

Says = Callable[..., None]


class Killed(BaseException):
    """What a task never catches, like the end of its process."""


@pytest.fixture
def run(field: Field, people: People) -> TrainingRun:
    count(field, people.bob, RBC=8)
    workers.beat("training", "training@here")
    return training.start_run(study=field.study, requested_by=people.alice)


@pytest.fixture
def trainer_says(tmp_path: Path, settings: Any) -> Says:
    """Return a function that takes the events which the next trainers tell."""
    package = tmp_path / "house" / "ml"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(STAND_IN)
    settings.BASE_DIR = package.parent

    def say(*events: dict[str, Any]) -> None:
        (package.parent / "says").write_text("\n".join(map(json.dumps, events)))

    return say


def progress(share: float) -> dict[str, Any]:
    return {"event": "progress", "progress": share, "step": "Learning the study's counts"}


@pytest.fixture
def after_progress() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Return a function that has something happen once, at the look that follows progress."""
    happen: Callable[[], object] | None = None
    told = False

    def arrange(what: Callable[[], object]) -> None:
        nonlocal told, happen
        told, happen = False, what

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal told, happen
        if told and happen and sql.startswith("SELECT"):
            now, happen = happen, None
            now()
        told = told or (sql.startswith("UPDATE") and '"progress" = ' in sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield arrange


def kill() -> None:
    raise Killed


def lose_the_database() -> None:
    raise OperationalError("server closed the connection unexpectedly")


def restart(run: TrainingRun) -> None:
    """Do what a worker does that finds its earlier self was killed."""
    TrainingRun.objects.filter(state=JobState.RUNNING).update(worker_session="before")
    Worker.objects.filter(name="training@here").update(session="before")
    workers.beat("training", "training@here")
    run.refresh_from_db()


@pytest.mark.parametrize(("step", "state"), [(0.1, JobState.WAITING), (0.0, JobState.FAILED)])
def test_only_deaths_without_progress_in_between_fail_a_run(
    run: TrainingRun, trainer_says: Says, after_progress: Any, step: float, state: str
) -> None:
    for evening in range(jobs.MAX_ATTEMPTS + 1):
        trainer_says(progress(0.1 + step * evening), {"event": "log", "message": "So far."})
        after_progress(kill)
        if run.state == JobState.WAITING:
            with pytest.raises(Killed):
                trainer.run_training(run.pk)
            restart(run)
    assert run.state == state


@pytest.mark.django_db(transaction=True)  # a lost connection cannot be replaced within one
def test_a_run_goes_on_when_the_database_was_away_for_a_moment(
    run: TrainingRun, trainer_says: Says, after_progress: Any, settings: Any
) -> None:
    work = settings.TRAINING_ROOT / str(run.pk)
    trainer_says(progress(0.5), VERDICT)
    after_progress(lose_the_database)
    trainer.run_training(run.pk)
    run.refresh_from_db()
    assert (run.state, run.finished_at) == (JobState.WAITING, None)
    assert run.error == "The database did not answer while this run was under way."
    # With the checkpoint, where there is one.
    assert (work / "manifest.json").exists()

    TrainingRun.objects.filter(pk=run.pk).update(next_try_at=timezone.now())
    trainer.run_training(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error, run.promoted) == (JobState.SUCCEEDED, "", True)
    assert not work.exists()


@pytest.mark.parametrize(
    ("cancel", "state", "champion"),
    [(False, JobState.SUCCEEDED, "v2"), (True, JobState.CANCELLED, "v1")],
)
def test_a_run_cancelled_after_its_last_word_changes_nothing(
    run: TrainingRun,
    trainer_says: Says,
    after_progress: Any,
    people: People,
    cancel: bool,
    state: str,
    champion: str,
) -> None:
    # The last event is progress, so that the look after it is the one at the end.
    trainer_says(VERDICT, progress(1.0))
    if cancel:
        after_progress(lambda: training.cancel_run(run=run, actor=people.alice))
    trainer.run_training(run.pk)
    run.refresh_from_db()
    assert (run.state, run.promoted) == (state, not cancel)
    assert registry.champion(run.study).name == champion
    assert run.study.model_versions.count() == (1 if cancel else 2)


@pytest.mark.parametrize(("cancelled", "runs"), [(False, 2), (True, 1)])
def test_what_was_counted_while_a_run_worked_is_considered_when_it_ends(
    run: TrainingRun,
    trainer_says: Says,
    after_progress: Any,
    people: People,
    cancelled: bool,
    runs: int,
) -> None:
    Study.objects.filter(pk=run.study_id).update(retrain_after=1)
    (another,) = add_fields(Slide.objects.get(), people.bob, range(7, 8))

    def meanwhile() -> None:
        count(another, people.bob, RBC=9)
        TrainingRun.objects.filter(pk=run.pk).update(cancel_requested=cancelled)

    trainer_says(progress(0.5), VERDICT)
    after_progress(meanwhile)
    trainer.run_training(run.pk)
    run.refresh_from_db()
    assert run.state == (JobState.CANCELLED if cancelled else JobState.SUCCEEDED)
    # Whoever cancels wants no run at once.
    assert TrainingRun.objects.count() == runs


def test_a_run_that_waited_is_not_repeated_on_what_it_has_learned(
    run: TrainingRun, trainer_says: Says, after_progress: Any, people: People
) -> None:
    Study.objects.filter(pk=run.study_id).update(retrain_after=1)
    (another,) = add_fields(Slide.objects.get(), people.bob, range(7, 8))
    count(another, people.bob, RBC=9)
    trainer_says(progress(0.5), VERDICT)
    # Counted anew with the same outcome: a new reference count that teaches nothing.
    after_progress(lambda: count(another, people.bob, RBC=9))
    trainer.run_training(run.pk)
    run.refresh_from_db()
    assert (run.state, run.reference_counts) == (JobState.SUCCEEDED, 2)
    assert TrainingRun.objects.count() == 1


def test_what_was_counted_before_a_worker_died_is_new_to_the_run_that_goes_on(
    run: TrainingRun, trainer_says: Says, after_progress: Any, people: People
) -> None:
    Study.objects.filter(pk=run.study_id).update(retrain_after=1)
    another, waited = add_fields(Slide.objects.get(), people.bob, range(7, 9))
    count(waited, people.bob, RBC=9)
    trainer_says(progress(0.5), {"event": "log", "message": "So far."})
    after_progress(kill)
    with pytest.raises(Killed):
        trainer.run_training(run.pk)
    assert training.new_since_last_run(run.study) == 0
    count(another, people.bob, RBC=9)
    restart(run)
    trainer_says(progress(0.6), VERDICT)
    trainer.run_training(run.pk)
    run.refresh_from_db()
    assert (run.state, run.reference_counts) == (JobState.SUCCEEDED, 2)
    assert TrainingRun.objects.count() == 2
