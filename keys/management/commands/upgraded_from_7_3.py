"""Set up a server that is upgraded from 7.3 with an HSM, before its first start."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console import health
from console.lib.actor import Actor
from console.lib.errors import ConsoleError
from console.management.commands.setup import set_up_server
from console.servers.current import current
from hsm.device.errors import DeviceError
from keys import upgrade
from settings_store import store


class Command(BaseCommand):
    help = (
        "Run once, after migrate and before set-up, on a deployment that was upgraded from 7.3 with an HSM: saves the "
        "HSM settings of the root key, and records the legacy-root that is on the token. Nothing on the token is "
        "changed. A new deployment does not need it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--module", required=True, help="the full path of the PKCS#11 module (HSMModulePath)")
        parser.add_argument("--token-name", required=True, help="the name of the token (Keys.Root.HSMTokenName)")
        parser.add_argument("--pin-file", required=True, type=Path, help="a file whose first line is its PIN")
        parser.add_argument("--key-id", required=True, help="the CKA_ID of legacy-root, as pkcs11-tool -O shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        if not health.migrations():
            raise CommandError("The database is not migrated. Run migrate first.")
        actor = Actor.system("upgrade")
        try:
            key_id = bytes.fromhex(options["key_id"])
            pin, *_ = options["pin_file"].read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise CommandError("--key-id must be hexadecimal, and --pin-file a file that holds the PIN.") from error
        try:
            set_up_server()
            upgrade.refuse_a_second(current())
            wanted = {
                "HSMModulePath": options["module"],
                "Keys.Root.UseHSM": "1",
                "Keys.Root.HSMTokenName": options["token_name"],
                "Keys.Root.HSMPassword": pin,
            }
            store.save_local(wanted, seen=store.seen_of(wanted), actor=actor)
            root = upgrade.take_over(key_id, actor=actor)
        except (ConsoleError, DeviceError) as error:
            raise CommandError(f"{error.message} {error.next_step}".strip()) from error
        self.stdout.write(f"legacy-root is in {root.store_label}, fingerprint {root.fingerprint}. Now run set-up.")
