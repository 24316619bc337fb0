"""Compare a client key with its certificate, and let the group use the two. Worker only: it opens the key."""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.lib.actor import Actor
from console.lib.errors import InvalidError, NotFoundError
from console.lib.opening import worker_pair
from console.lib.secret import Secret
from hsm.actions import Action
from hsm.connections.requests import request_test
from hsm.connections.sealed import CLIENT_KEY_PURPOSE
from hsm.models.drafts import StagedClientPair
from hsm.models.groups import Group


def open_client_key(sealed: bytes | memoryview, group_id: object) -> Secret:
    """Return the client key of a group, PEM; raises UnavailableError."""
    return worker_pair().open(bytes(sealed), purpose=CLIENT_KEY_PURPOSE, row_id=str(group_id))


def check_pair(cert_pem: str, key: Secret) -> None:
    """Raise InvalidError unless the key is the certificate's, and can be read without a passphrase."""
    try:
        private = load_pem_private_key(key.reveal_bytes(), password=None)
    except TypeError:
        raise InvalidError(
            "The client key is encrypted by a passphrase. It was not taken over.",
            field="client_key",
            code="client-key-encrypted",
            next_step="Decrypt it first (openssl pkey -in key.pem -out plain.pem); the console seals what it stores.",
        ) from None
    except ValueError:
        raise InvalidError(
            "The client key is no private key in PEM. It was not taken over.",
            field="client_key",
            code="client-key-unreadable",
            next_step="Upload the file that begins with -----BEGIN PRIVATE KEY-----.",
        ) from None
    certificate = x509.load_pem_x509_certificates(cert_pem.encode())[0]
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise InvalidError(
            "The client key does not belong to the client certificate. It was not taken over.",
            field="client_key",
            code="client-key-mismatch",
            next_step="Enter the certificate and the key that belong together.",
        )


def take_over(group_id: str, *, actor: Actor) -> str:
    """Let the group use the staged pair, and have its connections tested; raises InvalidError for a bad one.

    A refused key is erased; the reason stays for the form.
    """
    staged = StagedClientPair.objects.select_related("group").filter(group_id=group_id).first()
    if staged is None or staged.sealed_key is None:
        raise NotFoundError("The client certificate was replaced or taken away meanwhile. Nothing was changed.")
    group = staged.group
    same = StagedClientPair.objects.filter(pk=staged.pk, entered_at=staged.entered_at)
    try:
        check_pair(staged.cert_pem, open_client_key(staged.sealed_key, group.pk))
    except InvalidError as error:
        with transaction.atomic():
            same.update(sealed_key=None, problem=f"{error.message} {error.next_step}")
            request_test(group, actor=actor)
            details = {"reason": error.message}
            log.append(Action.CLIENT_PAIR_TAKEN, group.subject, actor=actor, outcome=Outcome.REFUSED, details=details)
        raise
    with transaction.atomic():
        if not same.delete()[0]:
            raise NotFoundError("The client certificate was replaced meanwhile. Nothing was changed.")
        values = {"client_cert_pem": staged.cert_pem, "sealed_client_key": staged.sealed_key}
        Group.objects.filter(pk=group.pk).update(**values)
        request_test(group, actor=actor)
        log.append(Action.CLIENT_PAIR_TAKEN, group.subject, actor=actor)
    return "The client key belongs to the client certificate. Connections of the group use them from now on."
