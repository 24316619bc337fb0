"""Rows that are inserted by their columns are those that the model would have saved."""

from console.lib import clock
from hsm.models.groups import Group
from hsm.models.objects import SecurityObject
from hsm.scan import Everything
from hsm.syncing import rows
from hsm.syncing.inserting import insert
from hsm.syncing.plan import plan
from tests.hsm.syncing import records


def test_what_is_inserted_is_what_the_model_saves(software_group: Group) -> None:
    found = records.listing(records.pair(b"\x01"), records.pair(b"\x02", "", None), records.secret(b"\x03"))
    new = list(rows.additions(software_group, plan(found, [], [], Everything()), clock.now()))
    insert(new)
    inserted = list(SecurityObject.every.order_by("pk").values())
    assert len(inserted) == 3
    SecurityObject.every.all().delete()
    for columns in new:
        SecurityObject(**columns).save(force_insert=True)
    assert list(SecurityObject.every.order_by("pk").values()) == inserted
