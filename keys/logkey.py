"""The key that signs the head of the activity log: made once for each server, in its `pki.db`. Worker only."""

import hashlib
import logging
import secrets
from collections.abc import Iterator

from django.db import transaction

from console.activity import heads, log
from console.lib import clock
from console.lib.actor import Actor
from console.lib.digest import spki_fingerprint
from console.servers.current import current
from console.servers.models import Server
from hsm.device.base import Device, KeySpec, SignatureScheme
from hsm.device.errors import KeyExistsError
from keys.actions import Action
from keys.keystore import open_local_store
from keys.models.keypair import KEY_ID_BYTES
from keys.models.logkey import LogKey

logger = logging.getLogger(__name__)

LABEL = "Activity log"


def ensure(server: Server) -> LogKey:
    """Return the log key of this server, made on first call; a call that was interrupted is finished."""
    with transaction.atomic():
        key, _ = LogKey.objects.get_or_create(
            server=server,
            retired_at=None,
            defaults={"key_id": secrets.token_bytes(KEY_ID_BYTES), "created_at": clock.now()},
        )
    if key.ready_at is None:
        with open_local_store() as store:
            _finish(key, _obtain(store.device(), bytes(key.key_id)))
    return key


def _obtain(device: Device, key_id: bytes) -> bytes:
    try:
        return device.generate_key_pair(key_id, KeySpec.EC_P256, LABEL)
    except KeyExistsError:
        found = device.find(key_id)
        if found is None or found.spki_der is None:
            raise
        return found.spki_der


def _finish(key: LogKey, spki_der: bytes) -> None:
    columns = {"spki_der": spki_der, "fingerprint": spki_fingerprint(spki_der), "ready_at": clock.now()}
    with transaction.atomic():
        if LogKey.objects.filter(pk=key.pk, ready_at=None).update(**columns):
            details = {"fingerprint": columns["fingerprint"], "key id": bytes(key.key_id).hex()}
            log.append(Action.LOG_KEY_CREATED, key.subject, actor=Actor.system("log"), details=details)
    key.refresh_from_db()


def sign_head() -> bool:
    """Sign the head of the activity log, if it has grown since; return whether a signature was made."""
    head = heads.due()
    if head is None:
        return False
    key = ensure(current())
    digest = hashlib.sha256(heads.message(head)).digest()
    with open_local_store() as store:
        signature = store.device().sign(bytes(key.key_id), digest, SignatureScheme.ECDSA_SHA256)
    heads.record(head, signature=signature, public_key=bytes(key.spki_der))
    return True


def sign_head_after_key_operation() -> None:
    """Sign at once, so that what was just done is proven; a fault is left to the job that signs every minute."""
    try:
        sign_head()
    except Exception:
        # The key operation is done and recorded: whatever goes wrong here must not make it look failed.
        logger.exception("The head of the activity log could not be signed.")


def public_keys() -> Iterator[bytes]:
    """Yield the public halves of this server's log keys from `pki.db`, never from the database that they guard."""
    with open_local_store() as store:
        for record in store.device().list_keys():
            if record.label == LABEL and record.spki_der:
                yield record.spki_der
