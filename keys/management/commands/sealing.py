"""Replace the sealing key of this server. Stop the console first."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import autodiscover_modules

from console.lib.actor import Actor
from console.lib.errors import ConsoleError
from hsm.device.errors import DeviceError
from keys import resealing


class Command(BaseCommand):
    help = (
        "sealing rotate: makes a new sealing pair for this server, and one for its listener, and seals everything "
        "again: rows, pki.db and the keys that are handed to the listener. Stop "
        "the console first; if the command is interrupted, run it again. Copy secrets/sealing.pub to other web hosts "
        "afterwards, and make a backup: older archives keep the key that they were made with."
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("act", choices=["rotate"])

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            # The modules of set-up say what other processes open with.
            autodiscover_modules("setup")
            count = resealing.rotate(actor=Actor.system("sealing"))
            resealing.replace_other_pairs()
        except (ConsoleError, DeviceError) as error:
            raise CommandError(f"{error.message} {error.next_step}".strip()) from error
        self.stdout.write(f"The sealing keys were replaced; {count} protected values were sealed again.")
