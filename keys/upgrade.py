"""Take over what an upgrade from 7.3 with an HSM brings along: legacy-root, on its token (HSI-05, AMB-43). Worker only.

For set-up alone, before this server makes a legacy-root of its own. Nothing is made on the token, and nothing there is
changed or destroyed, whatever fails: Clients 7.2 trust the key that is there, and there is no other one for them.
"""

from django.db import transaction

from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConflictError, RefusedError
from console.servers.current import current
from console.servers.models import Server
from hsm import bindings
from hsm.device.base import Device
from hsm.device.signer import device_private_key
from hsm.models.tokens import TokenBinding
from keys import issuance, pkirecord, roots
from keys.actions import Action
from keys.models.keypair import Store, spki_fields
from keys.models.root import Root, RootCounter, RootKind, RootState
from keys.purposes import PURPOSES, Purpose
from settings_store import store, values
from settings_store.models import Scope

LEGACY = PURPOSES[Purpose.LEGACY_ROOT]
PROTOCOL = "enable_protocol_314_flag"


def refuse_a_second(server: Server) -> None:
    """Raise ConflictError when this server has a legacy-root already."""
    if Root.objects.filter(server=server, kind=RootKind.LEGACY).exclude(state=RootState.FAILED).exists():
        raise ConflictError(
            f"{server.fqdn} has a legacy-root already. Nothing was changed.",
            next_step="Run this before set-up, on an empty database.",
        )


def take_over(key_id: bytes, *, actor: Actor) -> Root:
    """Record the key of that CKA_ID, on the token that Keys.Root.* names, as legacy-root, and let Client 7.2 in.

    Raises ConflictError, RefusedError, InvalidError (see `issuance.prepare`) or a DeviceError.
    """
    server = current()
    refuse_a_second(server)
    binding = bindings.resolve("Root").binding
    if binding is None:
        raise RefusedError("Keys.Root.UseHSM is not 1, so no token is named. Nothing was changed.")
    with bindings.open_binding(binding) as device:
        spki_der = _public_half(device, key_id)
        prepared = issuance.prepare(
            LEGACY.profile, name=LEGACY.name(server.fqdn), subject_spki=spki_der, now=clock.now(), spec=LEGACY.spec
        )
        certificate_der = issuance.issue(prepared, device_private_key(device, key_id, spki_der))
    return _record(server, binding, key_id, spki_der, certificate_der, actor=actor)


def _public_half(device: Device, key_id: bytes) -> bytes:
    """Return the public key; raises RefusedError for a key that is not there, not whole, or could leave the token."""
    found = device.find(key_id)
    if found is None or not found.has_private or not found.spki_der:
        raise RefusedError(f"The token has no whole key pair with the CKA_ID {key_id.hex()}. Nothing was changed.")
    if not found.attributes.sensitive or found.attributes.extractable:
        raise RefusedError("The private key of that CKA_ID could leave the token, so it is not used as a root key.")
    return found.spki_der


@transaction.atomic
def _record(
    server: Server, binding: TokenBinding, key_id: bytes, spki_der: bytes, certificate_der: bytes, *, actor: Actor
) -> Root:
    RootCounter.lock(server)
    refuse_a_second(server)
    root = roots.intend(server, actor=actor, kind=RootKind.LEGACY)
    columns = {"key_id": key_id, "store": Store.TOKEN, "binding": binding, "state": RootState.ACTIVE}
    made = {"certificate_der": certificate_der, "activated_at": clock.now(), **spki_fields(spki_der)}
    Root.objects.filter(pk=root.pk).update(**columns, **made)
    root = roots.find(root.pk)
    if values.effective(PROTOCOL).row is None:  # AMB-32: there are clients 7.2, or nobody would bring this key along
        store.change(PROTOCOL, "1", scope=Scope.GLOBAL, seen="default", actor=actor)
    pkirecord.after_commit("root-taken-over", root, detail=root.store_label)
    details = {"fingerprint": root.fingerprint, "store": root.store_label, "key id": key_id.hex()}
    log.append(Action.UPGRADED, root.subject, actor=actor, details=details)
    return root
