"""Whether a certificate that no row knows is one that this server issued before it was restored from a backup.

That one of this server's roots stands above it proves that it was issued here. Whether the client was revoked since the
backup nobody can know any more: so it counts only while an administrator says so (`trust.clients.readmission`).
"""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from console.lib.digest import spki_fingerprint
from console.lib.errors import RefusedError
from console.servers.models import Server
from keys.models.root import Root, RootState
from keys.models.subordinate import Subordinate, SubordinateState
from keys.validity import BACKDATE
from trust import anchors
from trust.anchors import Held
from trust.clients import readmission
from trust.clients.readmission import Admission
from trust.models.certificates import Certificate
from trust.models.clients import Client
from trust.models.readmissions import Readmission
from trust.wire import signatures
from trust.wire.errors import WireError
from trust.wire.proof import Proof

CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string


def admission(client: Client, shown: Proof, now: datetime) -> Admission | None:
    """Return what the client may come back by, None where the proof has to be that of the last key.

    Raises RefusedError for a certificate that does not count. Not checked: the proof's signature, which has to be made
    with the key of the certificate, and that the client is not revoked.
    """
    newest = Certificate.objects.filter(client=client).order_by("-id").first()
    if not shown.chain or newest is None or newest.spki_fingerprint == shown.last_key:
        return None
    decision = readmission.standing(client.server, now)
    if decision is None:
        return None
    if newest.revoked_at is not None:
        raise RefusedError("The certificate of the last key was revoked.", code="certificate-revoked")
    try:
        leaf = signatures.certificate_of(shown.chain[0])
        spki_der = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        obstacle = (
            _of_this_client(leaf, spki_der, client, shown)
            or _of_that_time(leaf, newest, decision, now)
            or _issued_here(shown.chain, client.server)
        )
    except (WireError, x509.ExtensionNotFound, *signatures.UNREADABLE) as error:
        raise RefusedError("The certificate of the last key cannot be read.", code="bad-certificate") from error
    if obstacle:
        raise RefusedError(f"The certificate of the last key is not accepted: {obstacle}.", code="not-forgotten")
    return Admission(decision.pk, newest.pk, f"{leaf.serial_number:x}", spki_der)


def _of_this_client(leaf: x509.Certificate, spki_der: bytes, client: Client, shown: Proof) -> str:
    hosts = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if list(hosts) != [x509.DNSName(client.name)]:
        return "it has another name"
    if spki_fingerprint(spki_der) != shown.last_key:
        return "it has another key than the proof"
    if Certificate.objects.filter(serial=f"{leaf.serial_number:x}").exists():
        return "it is known here, and a newer one was issued"
    return ""


def _of_that_time(leaf: x509.Certificate, newest: Certificate, decision: Readmission, now: datetime) -> str:
    begins = leaf.not_valid_before_utc
    if not begins <= now < leaf.not_valid_after_utc:
        return "it is not valid at this time"
    if begins <= newest.not_before:
        return "one that was issued later is known here"
    # It was issued at whole seconds, and says so much earlier (`keys.validity`).
    if not decision.made_at.replace(microsecond=0) - BACKDATE <= begins < decision.restored_at:
        return "it was not issued between the backup and the restore"
    return ""


def _issued_here(chain: tuple[bytes, ...], server: Server) -> str:
    """Judge by the roots as a client does: an intermediate that was made after the backup is forgotten, too."""
    roots = Root.objects.active(server).exclude(fingerprint=None)
    held = {str(root.fingerprint): bytes(root.certificate_der) for root in roots}
    revoked = {
        str(fingerprint)
        for model, state in ((Root, RootState.REVOKED), (Subordinate, SubordinateState.REVOKED))
        for fingerprint in model._base_manager.filter(state=state).values_list("fingerprint", flat=True)
    }
    if anchors.leads_to(chain, Held(held, frozenset(revoked)), CLIENT_AUTH) is None:
        return "no active root of this server stands above it"
    return ""
