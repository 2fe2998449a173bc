from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("counting", "0007_withdrawn_rulings"),
    ]

    operations = [
        # In two steps: `auto_now_add` at once would date what is there to the day of the upgrade.
        migrations.AddField(
            model_name="celltype",
            name="created_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="celltype",
            name="created_at",
            field=models.DateTimeField(auto_now_add=True, null=True),
        ),
    ]
