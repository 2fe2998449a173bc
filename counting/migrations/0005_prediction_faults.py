from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("counting", "0004_count_maps"),
    ]

    operations = [
        migrations.AddField(
            model_name="prediction",
            name="faults",
            field=models.JSONField(default=list),
        ),
    ]
