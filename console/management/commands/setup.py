"""Set this server up: its sealing pair, its row, the first Administrator, and what the apps registered."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.module_loading import autodiscover_modules

from console import env
from console.accounts import first_user, passwords
from console.accounts.models import User
from console.lib import clock, setup
from console.lib.actor import Actor
from console.lib.errors import ConsoleError
from console.lib.sealingpair import SealingPair
from console.servers import current
from console.servers.models import Server

ACTOR = Actor.system("set-up")


class Command(BaseCommand):
    help = (
        "Sets this server up after migrate, as the user the worker runs as. Harmless when repeated: it makes what is "
        "missing and changes nothing that is there."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_older_database()
        autodiscover_modules("setup")
        try:
            self._say(set_up_server())
            self._say(settle_first_password(first_password_file()))
            for step in setup.steps():
                self._say(step.run())
        except ConsoleError as error:
            raise CommandError(f"{error.message} {error.next_step}".strip()) from error

    def _say(self, sentence: str | None) -> None:
        if sentence:
            self.stdout.write(sentence)


def refuse_older_database() -> None:
    """Raise CommandError unless the database has every table of this version: a row's first miss names no remedy."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise CommandError(
            "The tables of this database are not those of this version, so nothing was set up. Run migrate first; "
            "./run does so itself when it starts."
        )


def set_up_server() -> str | None:
    """Make the sealing pair and the server's row when they are missing.

    Raises ConflictError when the pair is not the one the row was made with: a new pair would open nothing.
    """
    private, public = settings.SEALING_KEY_FILE, settings.SEALING_PUBLIC_FILE
    is_new = not Server.objects.filter(fqdn=settings.SERVER_NAME).exists()
    if is_new and not private.exists():
        private.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        public.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A public half without a private one is left from a pair that is gone; nothing was ever sealed for it here.
        public.unlink(missing_ok=True)
        SealingPair.generate().save(private, public)
    current.ensure(settings.SERVER_NAME, SealingPair.load(private).public)
    return f"Server {settings.SERVER_NAME} is set up." if is_new else None


def first_password_file() -> Path:
    """Return where the first password is put: a file of mode 0600, which the start of the console names."""
    return env.state_path("KEYSTEAD_FIRST_PASSWORD_FILE", "secrets/first-password")


def settle_first_password(path: Path) -> str | None:
    """Make the first Administrator, or renew a first password that ran out unused; tidy the file of a used one."""
    if not User.objects.exists():
        user, password = first_user.create(actor=ACTOR)
        return write_password(path, user, password.reveal_text())
    administrators = User.objects.administrators()
    unused = administrators.filter(must_change_password=True).order_by("created_at").first()
    if unused is None or administrators.filter(must_change_password=False).exists():
        path.unlink(missing_ok=True)
        return None
    if not unused.is_password_expired(clock.now()):
        return None
    # Nobody has ever come in: whoever may run this command may also do so.
    password = first_user.one_time_password()
    passwords.reset(unused, password, actor=ACTOR)
    return write_password(path, unused, password.reveal_text())


def write_password(path: Path, user: User, password: str) -> str:
    """Write the password for its first reader; return the sentence that names the file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(password + "\n")
    return f"The first password of {user.username} is in {path}. It works once, for 24 hours."
