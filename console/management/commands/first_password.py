"""Give a user a new first password on the console's host: the way back in when no Administrator can sign in."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.accounts import factors, first_user, passwords
from console.accounts.models import User
from console.lib.actor import Actor
from console.lib.errors import ConsoleError
from console.management.commands.setup import first_password_file, write_password

ACTOR = Actor.system("first_password")


class Command(BaseCommand):
    help = (
        "Gives a user a new password that works once, for 24 hours, and ends the user's sessions. "
        "It is written to a file of mode 0600 that only this host's user can read; the activity log keeps the act."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument(
            "--remove-second-factors", action="store_true", help="also remove the second factors, which are lost"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username__iexact=options["username"]).first()
        if user is None:
            raise CommandError("There is no such user. Nothing was changed.")
        password = first_user.one_time_password()
        try:
            if options["remove_second_factors"]:
                factors.remove_all(user, actor=ACTOR)
            passwords.reset(user, password, actor=ACTOR)
        except ConsoleError as error:
            raise CommandError(f"{error.message} {error.next_step}".strip()) from error
        self.stdout.write(write_password(first_password_file(), user, password.reveal_text()))
