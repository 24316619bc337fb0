"""keystead.pub: the public key of legacy-root, by which Client 7.2 knows the server (BND-02, BND-07)."""

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from django.db import transaction

from console.activity import log
from console.lib.actor import Actor
from console.lib.errors import ConflictError
from console.servers.models import Server
from keys.models.root import Root, RootKind
from settings_store import values
from trust.actions import Action

FLAG = "enable_protocol_314_flag"


def is_enabled() -> bool:
    """Whether Client 7.2 is served at all."""
    return values.flag(FLAG)


def find(server: Server) -> Root | None:
    """Return legacy-root, if it is made."""
    return Root.objects.active(server).filter(kind=RootKind.LEGACY).first()


@transaction.atomic
def download(server: Server, *, actor: Actor) -> bytes:
    """Return keystead.pub, PEM (RFC 7468 §13), and write down who took it; raises ConflictError while there is none."""
    if not is_enabled():
        raise ConflictError(
            f"Client 7.2 is not served: {FLAG} is 0. Nothing was handed out.",
            next_step=f"Set {FLAG} to 1 in Advanced Settings first.",
        )
    root = find(server)
    if root is None:
        raise ConflictError(
            "legacy-root is not made yet. Nothing was handed out.",
            next_step="Look at Background Jobs, and try again when the key is active.",
        )
    log.append(Action.LEGACY_KEY_DOWNLOADED, root.subject, actor=actor, details={"fingerprint": root.fingerprint})
    key = load_der_public_key(bytes(root.spki_der))
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
