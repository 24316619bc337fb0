"""The panels of Home's Environment Status, and the first steps of a new console. They read the database only."""

from datetime import timedelta

from django.db import connection
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse

from console.accounts.models import User
from console.activity import triggers
from console.activity.jobs import VERIFY
from console.activity.models import Entry, Head, SignedHead
from console.home import Fact, Mark, Panel, Step, register_panel, register_step
from console.jobs import listing
from console.jobs.models import Job, State
from console.lib import clock
from console.lib.capability import Capability
from console.servers.current import current
from hsm import report
from hsm.models.tokens import TokenBinding
from keys.models.backup import Backup
from keys.models.keystore import KeyStore, Protection
from keys.models.root import Root
from settings_store import values

DAY = timedelta(days=1)
SILENT = timedelta(minutes=3)
UNSIGNED = timedelta(minutes=5)
MOST_LINES = 6


def server(_request: HttpRequest) -> Panel:
    """Show this server."""
    here = current()
    lines = (Fact("Set up", at=here.created_at), Fact("Active-active peer", "none: this server stands alone"))
    return Panel("server", "This server", "server-2", Mark.OK, here.fqdn, lines)


def key_store(_request: HttpRequest) -> Panel:
    """Show what encrypts `pki.db`."""
    row = KeyStore.objects.filter(server=current()).first()
    if row is None:
        return Panel("key-store", "Key store pki.db", "database", Mark.WARN, "Not made yet")
    lines = (Fact("Encryption", Protection(row.protection).label), Fact("Changed", at=row.changed_at))
    if row.problem:
        return Panel("key-store", "Key store pki.db", "database", Mark.BAD, row.problem, lines)
    changing = row.target_version is not None
    summary = "The password is being changed" if changing else "Opens with what is set"
    return Panel("key-store", "Key store pki.db", "database", Mark.WARN if changing else Mark.OK, summary, lines)


def hsm(_request: HttpRequest) -> Panel:
    """Show the HSM integration: in use or not, and the last check."""
    used = [key for key in ("Root", "MessageSigning") if values.flag(f"Keys.{key}.UseHSM")]
    bindings = list(TokenBinding.objects.filter(server=current(), forgotten_at__isnull=True))
    check = report.last_check()
    lines = [
        Fact("Token", binding.name, reverse("hsm:binding", args=[binding.pk])) for binding in bindings[:MOST_LINES]
    ]
    lines.append(Fact("New keys on the HSM", ", ".join(used) or "none"))
    if check is not None:
        lines.append(
            Fact("Last check", State(check.state).label, reverse("jobs:detail", args=[check.pk]), check.finished_at)
        )
    state, summary = _hsm_state(used=bool(used), bound=bool(bindings), check=check)
    url = reverse("keys:integration")
    return Panel("hsm", "HSM", "cpu", state, summary, tuple(lines), url, "HSM integration")


def _hsm_state(*, used: bool, bound: bool, check: Job | None) -> tuple[Mark, str]:
    if not used and not bound:
        return Mark.IDLE, "Not used: keys live in pki.db"
    if check is None or check.is_open:
        return Mark.WARN, "Set up, and not checked yet"
    if check.state == State.FAILED or report.report(check, clock.now()).bad:
        return Mark.BAD, "The last check found a problem"
    return Mark.OK, "The last check was good" if used else "Older keys live on a token"


def jobs(_request: HttpRequest) -> Panel:
    """Show whether worker and beat are alive, and what failed."""
    now = clock.now()
    kept = listing.housekeeping(now)
    last = max((item.last for item in kept if item.last), default=None)
    late = any(item.late for item in kept)
    recent = Job.objects.filter(every_s=0, created_at__gte=now - DAY)
    failed = recent.filter(state=State.FAILED).count()
    lines = [Fact("Last sign of the worker", at=last) if last else Fact("Last sign of the worker", "none yet")]
    lines.append(Fact("Failed in the last 24 hours", str(failed), f"{reverse('jobs:list')}?tab=finished&state=failed"))
    waiting = Job.objects.filter(every_s=0).filter(Q(state=State.QUEUED) | Q(state=State.RUNNING)).count()
    lines.append(Fact("Running or waiting", str(waiting), reverse("jobs:list")))
    state, summary = Mark.OK, "Worker and scheduler are at work"
    if late or last is None or now - last > SILENT:
        state, summary = Mark.BAD, "Work that is due does not start: check the worker and beat processes"
    elif listing.failing_housekeeping():
        state, summary = Mark.WARN, "A housekeeping job fails"
    elif failed:
        state, summary = Mark.WARN, f"{_count(failed, 'job')} failed in the last 24 hours"
    return Panel(
        "jobs", "Background jobs", "activity", state, summary, tuple(lines), reverse("jobs:list"), "Background Jobs"
    )


def log(_request: HttpRequest) -> Panel:
    """Show up to where the activity log is signed, and its last verification."""
    signed = SignedHead.objects.order_by("-seq").first()
    verified = Job.objects.filter(kind_name=VERIFY.name).exclude(result={}).order_by("-created_at").first()
    verdict = str(verified.result.get("verdict", "")) if verified else "never"
    lines = (
        Fact("Entries", f"{_entries():,}", reverse("activity:list")),
        Fact(
            "Last signed head",
            f"entry {signed.seq:,}" if signed else "none yet",
            at=signed.signed_at if signed else None,
        ),
        Fact("Last verification", verdict, reverse("activity:verify"), verified.finished_at if verified else None),
    )
    state, summary = Mark.OK, "Chained and signed"
    if triggers.missing(connection):
        state, summary = Mark.BAD, "The database does not protect the log: run Verify"
    elif verified and verdict != "intact":
        state, summary = Mark.BAD, "The last verification found a change"
    elif waiting := _unsigned(signed):
        state, summary = Mark.WARN, f"{_count(waiting, 'entry', 'entries')} without a signed head for over 5 minutes"
    return Panel("log", "Activity log", "history", state, summary, lines, reverse("activity:verify"), "Verify")


def _entries() -> int:
    head = Head.objects.filter(pk=1).first()
    return head.seq if head else 0


def _unsigned(signed: SignedHead | None) -> int:
    """Return how many entries wait for a signed head, 0 while none of them waits longer than it should."""
    proven = signed.seq if signed else 0
    first = Entry.objects.filter(seq=proven + 1).first()
    return _entries() - proven if first and clock.now() - first.at > UNSIGNED else 0


def second_administrator(_request: HttpRequest) -> Step:
    """Propose a second administrator: nobody should be locked out by one lost password."""
    done = User.objects.administrators().count() > 1
    text = "With one administrator a lost password locks everybody out."
    return Step("Add a second administrator", text, reverse("accounts:users"), done)


def hsm_integration(_request: HttpRequest) -> Step:
    """Propose to have root keys where they cannot leave."""
    done = bool(values.text("HSMModulePath")) or Root.objects.filter(server=current(), binding__isnull=False).exists()
    text = "Point the console at a PKCS#11 module and check it: a root key that is made there never leaves the HSM."
    return Step("Integrate an HSM", text, reverse("keys:integration"), done)


def first_backup(_request: HttpRequest) -> Step:
    """Propose a backup: a key that is lost is lost for ever."""
    done = Backup.objects.filter(server=current(), finished_at__isnull=False, problem="").exists()
    text = "It holds the database and pki.db, encrypted to a passphrase. Keys on an HSM are backed up by its own means."
    return Step("Make a backup", text, reverse("keys:backups"), done)


def first_verification(_request: HttpRequest) -> Step:
    """Propose a verification: somebody should know what an intact log looks like."""
    done = Job.objects.filter(kind_name=VERIFY.name, state=State.SUCCEEDED).exists()
    text = "See that the activity log is intact, and what Verify promises."
    return Step("Verify the activity log", text, reverse("activity:verify"), done)


def register() -> None:
    """Fill Home's registry; called once at start-up."""
    # The app trust adds the clients at 10, the keys app the root keys at 20 and the last backup at 60.
    for order, builder in ((0, server), (30, hsm), (35, key_store), (40, jobs), (50, log)):
        register_panel(order, builder)
    register_step(0, hsm_integration, Capability.MANAGE_HSM)
    register_step(10, first_backup, Capability.BACK_UP)
    register_step(20, second_administrator, Capability.MANAGE_USERS)
    register_step(30, first_verification, Capability.READ)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
