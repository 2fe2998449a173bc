import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.models import F


def ask_for_tiles(apps, schema_editor):
    """Large fields of before have no tiles yet: the sweep rings for these jobs."""
    fields = apps.get_model("counting", "Field").objects.annotate(pixels=F("width") * F("height"))
    jobs = apps.get_model("counting", "TileJob").objects
    large = fields.filter(pixels__gt=settings.TILES_ABOVE_PIXELS)
    jobs.bulk_create(jobs.model(field=field) for field in large.iterator())


class Migration(migrations.Migration):
    dependencies = [
        ("counting", "0005_prediction_faults"),
    ]

    operations = [
        migrations.CreateModel(
            name="TileJob",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("token", models.CharField(blank=True, max_length=32)),
                ("worker_session", models.CharField(blank=True, max_length=32)),
                ("heartbeat", models.DateTimeField(null=True)),
                ("progress", models.FloatField(default=0.0)),
                ("step", models.CharField(blank=True, max_length=200)),
                ("error", models.TextField(blank=True)),
                ("cancel_requested", models.BooleanField(default=False)),
                ("next_try_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("rung_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "field",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tile_job",
                        to="counting.field",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "indexes": [models.Index(fields=["state", "next_try_at"], name="tile_job_waiting")],
            },
        ),
        migrations.RunPython(ask_for_tiles, migrations.RunPython.noop),
    ]
