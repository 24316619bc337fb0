"""Write a keystead-init.dat on this server, as the user the worker runs as."""

import uuid
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.lib.actor import Actor
from console.lib.errors import ConsoleError
from trust.infrastructure import credentials, servernames, writing
from trust.infrastructure.credentials import Limits
from trust.infrastructure.files import Wanted


class Command(BaseCommand):
    help = (
        "Writes a keystead-init.dat, signed by the newest root key of this server, with an enrolment credential of its "
        "own. Give it only to those who set up clients; the page Infrastructure lists the credential and withdraws it."
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--out", required=True, type=Path, help="the file to write, with mode 0600; it must not exist"
        )
        parser.add_argument("--server-names", default="", help="ServerNameList: names of servers, separated by commas")
        parser.add_argument("--most-uses", type=int, default=credentials.MOST_USES, help="how many new names may enrol")
        parser.add_argument("--days", type=int, default=credentials.DAYS, help="how long new names may enrol")
        parser.add_argument("--note", default="", help="who gets the file; shown on the page")

    def handle(self, *args: Any, **options: Any) -> None:
        limits = Limits(options["most_uses"], options["days"], options["note"])
        try:
            wanted = Wanted(uuid.uuid4(), limits, servernames.parse(options["server_names"]))
            made = writing.write(options["out"], wanted, actor=Actor.system("init_file"))
        except ConsoleError as error:
            raise CommandError(f"{error.message} {error.next_step}".strip()) from error
        self.stdout.write(
            f"{options['out']}\n{made}, {made.most_uses:,} new names until {made.expires_at:%Y-%m-%d} UTC"
        )
