"""Make a backup of this server at once, as the user the worker runs as."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.lib.actor import Actor
from console.lib.errors import ConsoleError
from hsm.device.errors import DeviceError
from keys.backup import asking, making, passphrase
from keys.models.backup import BackupLabel


class Command(BaseCommand):
    help = (
        "Writes an archive of the platform database, pki.db and the sealing keys of this server, encrypted to a "
        "passphrase. Keys on HSM tokens are not in it. The passphrase comes from KEYSTEAD_BACKUP_PASSPHRASE (or "
        "…_FILE), from a file, or from the terminal."
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--label", choices=BackupLabel.values, default=BackupLabel.MANUAL.value)
        parser.add_argument("--passphrase-file", help="a file whose first line is the passphrase")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = Actor.system("backup")
        try:
            secret = passphrase.read(options["passphrase_file"], twice=True)
            asking.check_passphrase(secret)
            backup = asking.begin(options["label"], actor=actor)
            making.make(backup, secret, actor=actor)
        except (ConsoleError, DeviceError) as error:
            raise CommandError(f"{error.message} {error.next_step}".strip()) from error
        self.stdout.write(f"{backup.path}\n{backup.size:,} bytes, SHA-256 {backup.sha256}")
        for line in backup.not_contained:
            self.stdout.write(f"Not contained: {line}.")
