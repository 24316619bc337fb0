"""Groups and their connections, for scripts.

Exit status: 0 when all is well; 1 when a connection, a group or a sync is not; 2 when it could not be found out.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand

from console.jobs.models import State
from console.lib.errors import ConsoleError
from hsm import scripting
from hsm.models.groups import Group

WAIT_S = 180.0
Work = Callable[["Command", list[Group], dict[str, Any]], bool]


class Command(BaseCommand):
    help = "Lists, tests, watches and syncs groups. Tests and syncs are done by the worker; this waits for it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        for name, text, waits in (
            ("list", "list groups and their connections as they were seen last", False),
            ("test", "test the connections of groups", True),
            ("health", "say whether each group can serve, as was seen last", False),
            ("sync", "sync the keys of HSM groups", True),
        ):
            act = acts.add_parser(name, help=text)
            act.add_argument("groups", nargs="*", metavar="GROUP", help="title or id; all groups without one")
            act.add_argument("--json", action="store_true", help="answer in JSON")
            if waits:
                act.add_argument("--wait", type=float, default=WAIT_S, metavar="SECONDS")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = scripting.find_groups(options["groups"])
            well = WORK[options["act"]](self, found, options)
        except ConsoleError as error:
            self.stderr.write(f"{error.message} {error.next_step}".strip())
            sys.exit(2)
        if not well:
            sys.exit(1)

    def show(self, groups: list[Group], options: dict[str, Any]) -> None:
        """Write the groups, for people or for a program."""
        described = [scripting.described(group) for group in groups]
        if options["json"]:
            self.stdout.write(json.dumps(described, indent=2))
            return
        for group in described:
            self.stdout.write(f"{group['title']}: {group['state'] or 'software group'}, {group['keys']} keys")
            for one in group["connections"]:
                fault = f" ({one['code']}: {one['fault']})" if one["fault"] else ""
                place = f"{one['priority']}. {one['name']} slot {one['slot'] or 'not given'}"
                self.stdout.write(f"  {place}: {one['state']}{fault}")


def _list(command: Command, groups: list[Group], options: dict[str, Any]) -> bool:
    command.show(groups, options)
    return True


def _test(command: Command, groups: list[Group], options: dict[str, Any]) -> bool:
    tested = [group for group in groups if group.is_hsm]
    well = [scripting.test(group, options["wait"]) for group in tested]
    command.show(scripting.find_groups([str(group.pk) for group in tested]) if tested else [], options)
    return all(well)


def _health(command: Command, groups: list[Group], options: dict[str, Any]) -> bool:
    command.show(groups, options)
    return all(scripting.serves(group) for group in groups)


def _sync(command: Command, groups: list[Group], options: dict[str, Any]) -> bool:
    chosen = groups if options["groups"] else [group for group in groups if group.is_hsm]
    jobs = [(group, scripting.sync(group, options["wait"])) for group in chosen]
    if options["json"]:
        ends = [{"title": group.title, "state": job.state, "message": job.message} for group, job in jobs]
        command.stdout.write(json.dumps(ends, indent=2))
    else:
        for group, job in jobs:
            command.stdout.write(f"{group.title}: {job.message} {job.next_step}".strip())
    return all(job.state == State.SUCCEEDED for _, job in jobs)


WORK: dict[str, Work] = {"list": _list, "test": _test, "health": _health, "sync": _sync}
