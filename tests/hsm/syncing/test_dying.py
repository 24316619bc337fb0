"""The HSM, its module or its gateway dies while its keys are read: nothing changes, and the job says so."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from hsm.models.groups import Group
from hsm.models.objects import SecurityObject
from tests.fixtures.gateway import Gateways
from tests.fixtures.softhsm import SoftHsm, Token
from tests.hsm.syncing.conftest import Sync, counts
from tests.hsm.syncing.outside import Outside
from tests.shim import faulty
from tests.shim.faulty import FaultyModule

pytestmark = pytest.mark.one_database


@pytest.fixture
def module(tmp_path: Path, softhsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> FaultyModule:
    """SoftHSM2 inside the shim; hosts of this process and gateways started after it obey its orders."""
    folder = tmp_path / "shim"
    folder.mkdir()
    made = FaultyModule(faulty.build(faulty.SOURCE, folder / "libfaulty.so"), folder, softhsm.module)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture(params=["module", "gateway"])
def shaky(
    request: pytest.FixtureRequest, module: FaultyModule, token: Token, module_group: Callable[..., Group]
) -> Group:
    """Make a group on the shim, by its module or through a gateway."""
    behind = replace(token, module=str(module.path))
    if request.param == "module":
        return module_group(behind)
    gateways: Gateways = request.getfixturevalue("gateway")
    return cast("Group", request.getfixturevalue("gateway_group")(gateways.start(behind.module, behind), behind))


@pytest.mark.parametrize("order", ["C_GetAttributeValue after crash", "C_FindObjects before return 0x30"])
def test_an_hsm_that_dies_while_it_is_read(
    order: str, module: FaultyModule, shaky: Group, outside: Outside, sync: Sync
) -> None:
    outside.ec("a1", "stays").ec("a2", "goes").done()
    assert counts(sync(shaky)) == {"added": 2}
    outside.ec("a3", "new").destroy("private", "a2").destroy("public", "a2").done()
    before = list(SecurityObject.every.order_by("pk").values())
    module.order(order)
    job = sync(shaky, "failed")
    assert "No virtual key was changed." in job.message
    assert job.error_code
    assert job.next_step
    assert list(SecurityObject.every.order_by("pk").values()) == before
