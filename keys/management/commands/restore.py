"""Bring this server back from a backup. Stop the console first."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.lib.actor import Actor
from console.lib.errors import ConsoleError
from hsm.device.errors import DeviceError
from keys.backup import aftercare, passphrase, restoring
from keys.backup.header import Header
from keys.backup.restoring import Wishes


class Command(BaseCommand):
    help = (
        "Brings this server back from an archive of manage.py backup, into an empty machine: database, pki.db and "
        "sealing keys. Keys on HSM tokens work again when the module and the token are there. Stop the console first."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("archive", type=Path)
        parser.add_argument("--passphrase-file", help="a file whose first line is the passphrase")
        parser.add_argument("--inspect", action="store_true", help="only say what the archive is")
        parser.add_argument(
            "--accept-pre-revocation", action="store_true", help="restore an archive that is for planning only"
        )
        parser.add_argument(
            "--force", action="store_true", help="replace the database, pki.db and the keys that this machine holds"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["archive"]
        wishes = Wishes(force=options["force"], accept_pre_revocation=options["accept_pre_revocation"])
        try:
            self._describe(restoring.read_header(path))
            if options["inspect"]:
                return
            restoring.refuse_early(path, wishes=wishes)
            secret = passphrase.read(options["passphrase_file"], twice=False)
            actor = Actor.system("restore")
            header = restoring.restore(path, secret, wishes=wishes, actor=actor, say=self.stdout.write)
            for sentence in aftercare.findings(header.made_at):
                self.stdout.write(sentence)
        except (ConsoleError, DeviceError) as error:
            raise CommandError(f"{error.message} {error.next_step}".strip()) from error

    def _describe(self, header: Header) -> None:
        self.stdout.write(f"{header.label} backup of {header.server}, made {header.created_at}")
        for name in header.roots:
            self.stdout.write(f"  {name}")
        for line in header.not_contained:
            self.stdout.write(f"  Not contained: {line}.")
