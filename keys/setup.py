"""What set-up makes: Root 0, legacy-root, the log key, and this server's own subordinate keys (KEY-01, KEY-03, KEY-05).

Each step looks for what is there, and finishes what an interrupted set-up left open.
"""

import secrets

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs.models import OPEN, Job
from console.lib import clock
from console.lib.actor import Actor
from console.lib.setup import register_step
from console.servers.current import current
from console.servers.models import Server
from keys import logkey, roots, rotation, saga, subordinates
from keys.actions import Action
from keys.creation import RootCreation
from keys.jobs import REMAKE_SUBORDINATES
from keys.models.keypair import KEY_ID_BYTES
from keys.models.root import Root, RootKind, RootState

INSTALLER = Actor.system("set-up")


def make_root(server: Server, kind: RootKind) -> str | None:
    """Make the first root of a kind; nothing when there is, or was, one."""
    made = Root.objects.filter(server=server, kind=kind)
    if made.filter(state__in=(RootState.ACTIVE, RootState.REVOKED)).exists():
        return None
    root = made.order_by("number").first() or _intend(server, kind)
    if root.state == RootState.FAILED:
        # The first root is Root 0 (KEY-03), also when its first attempt failed: nothing was left of that.
        saga.take(root, (RootState.FAILED,), state=RootState.REQUESTED, key_id=secrets.token_bytes(KEY_ID_BYTES))
    root = RootCreation(root.pk, actor=INSTALLER, follow_up=False).run()
    return f"{root.name} made in {root.store_label}."


@transaction.atomic
def _intend(server: Server, kind: RootKind) -> Root:
    root = roots.intend(server, actor=INSTALLER, kind=kind)
    log.append(Action.ROOT_REQUESTED, root.subject, actor=INSTALLER, outcome=Outcome.REQUESTED)
    return root


def make_first_root() -> str | None:
    """Make Root 0."""
    return make_root(current(), RootKind.ROOT)


def make_legacy_root() -> str | None:
    """Make the root for Client 7.2."""
    return make_root(current(), RootKind.LEGACY)


def make_log_key() -> str | None:
    """Make the key that signs the head of the activity log, and sign what there is."""
    logkey.ensure(current())
    return "Head of the activity log signed." if logkey.sign_head() else None


def make_subordinates() -> str | None:
    """Make the keys below the newest root, unless a job is at it."""
    server = current()
    busy = Job.objects.filter(server=server, kind_name=REMAKE_SUBORDINATES.name, state__in=OPEN)
    if busy.exists():
        return None
    if not rotation.due(server, clock.now()):
        return None
    made = subordinates.remake(server, actor=INSTALLER, progress=lambda _done, _total, _message: None)
    return f"Made: {', '.join(key.name for key in made)}."


register_step("first root key", make_first_root)
register_step("legacy-root", make_legacy_root)
register_step("subordinate keys", make_subordinates)
register_step("log key", make_log_key)
