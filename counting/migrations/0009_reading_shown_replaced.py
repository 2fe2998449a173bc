from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("counting", "0008_celltype_created_at"),
    ]

    operations = [
        migrations.AddField(
            model_name="reading",
            name="shown_replaced",
            field=models.BooleanField(default=False),
        ),
    ]
