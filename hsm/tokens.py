"""Ask a module which tokens it has, and remember the answer for the pages. Worker only."""

from django.db import transaction

from console import pkilog
from console.lib import clock
from console.pkilog import Level
from console.servers.current import current
from hsm.device import opening
from hsm.device.base import ModuleInfo, TokenInfo
from hsm.device.errors import DeviceError
from hsm.models.tokens import SeenToken


def read(module_path: str) -> tuple[ModuleInfo, tuple[TokenInfo, ...]]:
    """Load the module and list its tokens, without a PIN; raises DeviceError, and then nothing is remembered."""
    try:
        module = opening.read_module(module_path)
        tokens = opening.list_tokens(module_path)
    except DeviceError as error:
        _note(module_path, error.code, Level.ERROR)
        raise
    _note(module_path, "ok")
    remember(module_path, tokens)
    return module, tokens


@transaction.atomic
def remember(asked_path: str, tokens: tuple[TokenInfo, ...]) -> None:
    """Replace what is known about this server's tokens by a whole listing."""
    server, now = current(), clock.now()
    SeenToken.objects.filter(server=server).delete()
    SeenToken.objects.bulk_create(
        SeenToken(
            server=server,
            asked_path=asked_path,
            module_path=token.module,
            slot_id=str(token.slot_id),
            label=token.label,
            serial=token.serial,
            manufacturer=token.manufacturer,
            model=token.model,
            firmware=token.firmware,
            flags=sorted(token.flags),
            initialized=token.initialized,
            seen_at=now,
        )
        for token in tokens
    )


def _note(module_path: str, result: str, level: Level = Level.INFO) -> None:
    pkilog.write("module-load", component="hsm.tokens", subject=module_path, result=result, level=level)
