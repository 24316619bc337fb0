"""One key: certificate, chain, what it signed, what was signed about it, and its entries in the log."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from console.accounts.asking import actor_of
from console.activity.models import Entry
from console.jobs.models import OPEN, Job, State
from console.lib import htmx
from console.lib.access import access
from console.lib.capability import Capability
from console.navigation import may
from console.servers.current import current
from keys import places, roots, rotation, tiles
from keys.errors import KeyNotFoundError
from keys.models.keypair import KeyPair
from keys.models.root import Root
from keys.models.statements import CrossCertificate
from keys.models.subordinate import Subordinate, SubordinateState
from keys.purposes import PURPOSES, ROTATED, Purpose
from keys.standing import Standing
from keys.validity import NEVER

ENTRIES = 20


@dataclass(frozen=True)
class CertificateFacts:
    """What a certificate says, in words. `ends` None: it does not expire."""

    subject: str
    issuer: str
    serial: str
    begins: datetime
    ends: datetime | None
    signature: str


def certificate_facts(der: bytes) -> CertificateFacts | None:
    """Return what the page shows of a certificate; None while there is none."""
    if not der:
        return None
    found = x509.load_der_x509_certificate(der)
    ends = found.not_valid_after_utc
    algorithm = found.signature_hash_algorithm
    return CertificateFacts(
        subject=found.subject.rfc4514_string(),
        issuer=found.issuer.rfc4514_string(),
        serial=f"{found.serial_number:x}",
        begins=found.not_valid_before_utc,
        ends=None if ends >= NEVER else ends,
        signature=algorithm.name.upper() if algorithm else "",
    )


@require_GET
@access(Capability.READ)
def root(request: HttpRequest, root_id: uuid.UUID) -> HttpResponse:
    """Show one root key."""
    found = roots.find(root_id)
    standing = Standing.read(current())
    cross = CrossCertificate.objects.filter(Q(issuer=found) | Q(subject=found)).select_related("issuer", "subject")
    below = (
        Subordinate.objects.filter(root=found)
        .exclude(state=SubordinateState.FAILED)
        .select_related("binding")
        .order_by("-created_at")
    )
    context = {
        "root": found,
        "badge": tiles.state_badge(found.state, found.get_state_display()),
        "algorithm": tiles.algorithm(found),
        "certificate": certificate_facts(bytes(found.certificate_der)),
        "cross": cross,
        "below": [tiles.key_line(key) for key in below],
        "refusal": standing.refusal(found),
        "plan": standing.pending.get(found.pk),
        "may_manage": may(request, Capability.MANAGE_KEYS),
        "crl": getattr(found, "crl", None),
        "directive": getattr(found, "directive", None),
        **_history(found),
    }
    return render(request, "keys/root.html", context)


@require_GET
@access(Capability.READ)
def subordinate(request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
    """Show one subordinate key."""
    key = find_subordinate(key_id)
    purpose = Purpose(key.purpose)
    context = {
        "key": key,
        "line": tiles.key_line(key),
        "algorithm": tiles.ALGORITHMS[PURPOSES[purpose].spec],
        "certificate": certificate_facts(bytes(key.certificate_der)),
        "facts": PURPOSES[purpose],
        "interval": rotation.interval(purpose, key.server),
        "may_manage": may(request, Capability.MANAGE_KEYS),
        "can_rotate": key.state == SubordinateState.ACTIVE and purpose in ROTATED,
        **_history(key),
    }
    return render(request, "keys/subordinate.html", context)


def _history(key: Root | Subordinate) -> dict[str, object]:
    """Return the newest entries and the open jobs about a key; of one in use also the last job, if it failed."""
    about = {"subject_kind": key.subject.kind, "subject_id": key.subject.id}
    jobs = Job.objects.filter(**about).order_by("created_at")
    shown = Q(state__in=OPEN)
    if key.state == SubordinateState.ACTIVE and (last := jobs.last()):
        shown |= Q(pk=last.pk, state=State.FAILED)
    return {"entries": Entry.objects.filter(**about)[:ENTRIES], "jobs": jobs.filter(shown)}


def find_subordinate(key_id: uuid.UUID) -> Subordinate:
    """Return a subordinate key by its id; raises KeyNotFoundError."""
    key = Subordinate.objects.select_related("server", "root", "binding").filter(pk=key_id).first()
    if key is None:
        raise KeyNotFoundError("There is no such key.")
    return key


@require_http_methods(["GET", "POST"])
@access(Capability.MANAGE_KEYS)
def rotate(request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
    """Ask, and queue a new key in place of this one (KEY-51)."""
    key = find_subordinate(key_id)
    if request.method == "POST":
        rotation.request(key, actor=actor_of(request))
        if request.htmx:  # type: ignore[attr-defined]
            return htmx.redirect(reverse("keys:subordinate", args=[key.pk]))
        return redirect("keys:subordinate", key_id=key.pk)
    template = "keys/rotate.html#dialog" if htmx.wants_fragment(request) else "keys/rotate.html"
    purpose = Purpose(key.purpose)
    return render(request, template, {"key": key, "label": PURPOSES[purpose].label, "place": places.of_next(purpose)})


def pair(key_id: uuid.UUID) -> KeyPair:
    """Return a root or a subordinate key by its id; raises KeyNotFoundError."""
    return Root.objects.filter(pk=key_id).first() or find_subordinate(key_id)
