"""Root and message-signing keys on a token that a group uses too: no group sees, uses or destroys them."""

from collections.abc import Callable
from typing import Any

import pytest

from console.jobs.models import Job
from hsm.device.base import KeySpec
from hsm.device.objects import Operation
from hsm.models.groups import Group
from hsm.models.objects import SecurityObject
from hsm.objects import generation
from hsm.syncing import requests
from keys.models.root import Root
from keys.models.subordinate import Subordinate
from tests.keys.conftest import ALICE

pytestmark = pytest.mark.django_db


def test_a_sync_makes_no_virtual_keys_of_the_consoles_own(
    make_root: Callable[..., Root],
    softhsm: Any,
    use_token: Callable[..., None],
    module_group: Callable[..., Group],
    run_jobs: Callable[..., list[Job]],
) -> None:
    token = softhsm.token("shared")
    use_token(token)
    root = make_root()
    signing = Subordinate.objects.get(root=root, purpose="message-signing")
    first, second = module_group(token), module_group(token, "Second")
    wanted = generation.Wanted("of a group", KeySpec.EC_P256, frozenset({Operation.SIGN}))
    generation.request(first, wanted, actor=ALICE)
    run_jobs()
    job = requests.sync(second, actor=ALICE)
    run_jobs()
    job.refresh_from_db()
    assert job.message.startswith("1 new key from the HSM is added.")  # POL-20: the one of the other group
    told = {line["what"] for line in job.result["outside"]}
    assert told == {f"CKA_ID {key.cka_id.hex()}" for key in (root, signing)}
    assert set(SecurityObject.objects.values_list("name", flat=True)) == {"of a group"}
