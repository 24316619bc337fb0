"""Make a keystead-init.dat. For the worker: the newest root signs it, from pki.db or on an HSM."""

import base64
import hashlib
import secrets
from datetime import datetime

from console.lib import clock
from console.lib.actor import Actor
from console.lib.secret import Secret
from console.lib.version import VERSION
from console.servers.models import Server
from hsm.device.errors import DeviceError
from keys import goodkey, saga, signing, stores
from keys.models.root import Root
from trust.errors import InitFileNotMadeError
from trust.infrastructure import addresses, files
from trust.models.credentials import Credential
from trust.models.initfiles import InitFile, InitFileState
from trust.publishing import trustlist
from trust.wire import initfile
from trust.wire.initfile import Content, Enrolment, Signed

SECRET_BYTES = 32
NOTHING = "Nothing was handed out, and the credential of this file is withdrawn."


def make(credential_id: str, *, actor: Actor) -> str:
    """Make the file that is waited for; return what to say.

    When it cannot be made its credential is withdrawn, and InitFileNotMadeError says why.
    """
    rows = InitFile.objects.select_related("credential__server")
    file = rows.get(credential_id=credential_id)
    if file.state != InitFileState.PREPARING:
        return "Nobody waits for this file any more."
    try:
        secret, content = signed_file(file.credential, file.settings)
        files.deliver(file, digest(secret), content)
    except Exception as error:
        files.give_up(file, getattr(error, "message", "an unexpected error"), actor=actor)
        raise
    return "The file waits for the browser that asked for it, and is then deleted here."


def signed_file(credential: Credential, settings: dict[str, str]) -> tuple[Secret, Secret]:
    """Return a new secret for a credential, and the file that holds it; raises InitFileNotMadeError."""
    server = credential.server
    roots = list(Root.objects.numbered(server).select_related("server", "binding"))
    if not roots:
        raise InitFileNotMadeError(
            f"{server.fqdn} has no active root key, so there is nothing that clients could trust. {NOTHING}",
            next_step="Create a key on the page Current Server first.",
        )
    secret = Secret(base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).rstrip(b"="))
    raw = initfile.payload(_content(server, roots, credential, secret, settings, clock.now()))
    signature = _sign(roots[0], initfile.signed_bytes(raw))
    return secret, Secret(initfile.encode(Signed(raw, signature, bytes(roots[0].certificate_der))))


def digest(secret: Secret) -> str:
    """Return what is kept of a credential's secret: SHA-256, hex, of the password as the client sends it."""
    return hashlib.sha256(secret.reveal_bytes()).hexdigest()


def _content(
    server: Server, roots: list[Root], credential: Credential, secret: Secret, settings: dict[str, str], now: datetime
) -> Content:
    return Content(
        version=VERSION,
        made_at=now,
        servers=(addresses.own(server),),
        roots=trustlist.listed(roots),
        enrolment=Enrolment(id=str(credential.pk), secret=secret.reveal_text()),
        settings=dict(settings),
    )


def _sign(root: Root, message: bytes) -> bytes:
    try:
        with stores.open_signer(root) as signer:
            return signing.sign_intended(message, goodkey.check(bytes(root.spki_der)), signer)
    except saga.FAULTS as fault:
        away = isinstance(fault, DeviceError)
        raise InitFileNotMadeError(
            f"{root.name} could not sign the file: {fault.message} {NOTHING}",
            code=fault.code,
            next_step=fault.next_step or ("Download again when the HSM answers." if away else ""),
        ) from fault
