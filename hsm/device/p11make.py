"""Making keys in a token with exactly the permissions that were asked for: for the module host only."""

from collections.abc import Sequence

from pkcs11 import Attribute as A  # noqa: N817 - in tables
from pkcs11 import KeyType, Mechanism, ObjectClass

from hsm.device.base import KeySpec
from hsm.device.faults import ModuleFaultError
from hsm.device.objects import PRIVATE_OPERATIONS, PUBLIC_OPERATIONS, Operation, family_of
from hsm.device.objectwire import ImportObject, MakeObject, ObjectPart, PairMaterial
from hsm.device.p11calls import Template
from hsm.device.p11describe import Half, key_part
from hsm.device.p11session import ObjectSession

# CKA_EC_PARAMS of a named curve: its OID in DER (RFC 5480 §2.1.1.1)
EC_PARAMS = {
    KeySpec.EC_P256: bytes.fromhex("06082a8648ce3d030107"),
    KeySpec.EC_P384: bytes.fromhex("06052b81040022"),
    KeySpec.EC_P521: bytes.fromhex("06052b81040023"),
}
PUBLIC_EXPONENT = (65537).to_bytes(3)
ALL_OPERATIONS = frozenset(Operation)
Asked = MakeObject | ImportObject


def make(session: ObjectSession, asked: MakeObject) -> ObjectPart:
    """Generate a key, read it back, and keep it only when it is as it was asked for."""
    _refuse_taken(session, asked.key_id)
    spec = KeySpec(asked.spec)
    usage = not session.module.sets_usage_itself
    try:
        if spec.is_aes:
            template = {**_secret(asked, usage=usage), A.VALUE_LEN: spec.bits // 8}
            handles = [session.calls.generate_key(session.handle, Mechanism.AES_KEY_GEN, template)]
        else:
            mechanism = Mechanism.EC_KEY_PAIR_GEN if spec.is_ec else Mechanism.RSA_PKCS_KEY_PAIR_GEN
            public = {**_public(asked, usage=usage), **_domain(spec)}
            private = _private(asked, usage=usage)
            handles = list(session.calls.generate_pair(session.handle, mechanism, public, private))
    except ModuleFaultError as fault:
        fault.outcome_unknown = _may_hold(session, asked.key_id)
        raise
    return _as_asked(session, asked, handles)


def take_in(session: ObjectSession, asked: ImportObject) -> ObjectPart:
    """Import a key, the public half first: a pair without a private half is an import that was not finished."""
    _refuse_taken(session, asked.key_id)
    try:
        handles = [session.calls.create(session.handle, template) for template in _import_templates(asked)]
    except ModuleFaultError as fault:
        fault.outcome_unknown = not _cleaned(session, asked.key_id)
        raise
    return _as_asked(session, asked, handles)


def _import_templates(asked: ImportObject) -> list[Template]:
    kind = {A.KEY_TYPE: _key_type(KeySpec(asked.spec))}
    if asked.pair is None:
        return [{A.CLASS: ObjectClass.SECRET_KEY, **kind, **_secret(asked), A.VALUE: asked.secret}]
    public, private = _values(asked.pair)
    return [
        {A.CLASS: ObjectClass.PUBLIC_KEY, **kind, **_public(asked), **public},
        {A.CLASS: ObjectClass.PRIVATE_KEY, **kind, **_private(asked), **private},
    ]


def _values(pair: PairMaterial) -> tuple[Template, Template]:
    if pair.ec_params:
        domain = {A.EC_PARAMS: pair.ec_params}
        return {**domain, A.EC_POINT: pair.ec_point}, {**domain, A.VALUE: pair.private_value}
    public = {A.MODULUS: pair.n, A.PUBLIC_EXPONENT: pair.e}
    private = {
        A.PRIVATE_EXPONENT: pair.d,
        A.PRIME_1: pair.p,
        A.PRIME_2: pair.q,
        A.EXPONENT_1: pair.dp,
        A.EXPONENT_2: pair.dq,
        A.COEFFICIENT: pair.qi,
    }
    return public, {**public, **private}


def _domain(spec: KeySpec) -> Template:
    if spec.is_ec:
        return {A.EC_PARAMS: EC_PARAMS[spec]}
    return {A.MODULUS_BITS: spec.bits, A.PUBLIC_EXPONENT: PUBLIC_EXPONENT}


def _key_type(spec: KeySpec) -> KeyType:
    return KeyType.AES if spec.is_aes else KeyType.EC if spec.is_ec else KeyType.RSA


def _public(asked: Asked, *, usage: bool = True) -> Template:
    return {**_names(asked), A.PRIVATE: False, **(_usage(asked, PUBLIC_OPERATIONS) if usage else {})}


def _private(asked: Asked, *, usage: bool = True) -> Template:
    return {**_names(asked), **_protection(), **(_usage(asked, PRIVATE_OPERATIONS) if usage else {})}


def _secret(asked: Asked, *, usage: bool = True) -> Template:
    return {**_names(asked), **_protection(), **(_usage(asked, ALL_OPERATIONS) if usage else {})}


def _names(asked: Asked) -> Template:
    return {A.TOKEN: True, A.ID: asked.key_id, A.LABEL: asked.label}


def _protection() -> Template:
    return {A.PRIVATE: True, A.SENSITIVE: True, A.EXTRACTABLE: False}


def _usage(asked: Asked, carried: frozenset[Operation]) -> Template:
    """Name every permission of the half, for what a template leaves out is the module's own choice."""
    return {
        int(A[operation.name]): operation.value in asked.operations for operation in Operation if operation in carried
    }


def _refuse_taken(session: ObjectSession, key_id: bytes) -> None:
    if session.halves_of(key_id):
        raise ModuleFaultError("KEY_EXISTS")


def _as_asked(session: ObjectSession, asked: Asked, handles: Sequence[int]) -> ObjectPart:
    """Read the new key back. Raises with `outcome_unknown` when it cannot be read, or not be destroyed again."""
    try:
        halves = [session.describer.half(session.handle, handle) for handle in handles]
        part = key_part(family_of(KeySpec(asked.spec)), halves)
        code = _objection(asked, part)
        if code:
            _destroy_all(session, halves)
    except ModuleFaultError as fault:
        fault.outcome_unknown = True
        raise
    if code:
        raise ModuleFaultError(code)
    return part


def _objection(asked: Asked, part: ObjectPart) -> str:
    if part.extractable is True or part.sensitive is False:
        return "KEY_NOT_PROTECTED"
    return "" if set(part.operations) == set(asked.operations) else "PERMISSIONS_DIFFER"


def _may_hold(session: ObjectSession, key_id: bytes) -> bool:
    """After a failed generation: look, because some modules fail after the key was made."""
    session.drop()
    try:
        held = bool(session.halves_of(key_id))
        session.module.token_now()
    except ModuleFaultError:
        return True
    return held


def _cleaned(session: ObjectSession, key_id: bytes) -> bool:
    """After a failed import: destroy what there is of the key, and say whether nothing is left for certain."""
    session.drop()
    try:
        _destroy_all(session, session.halves_of(key_id))
        session.module.token_now()
        return not session.halves_of(key_id)
    except ModuleFaultError:
        return False


def _destroy_all(session: ObjectSession, halves: Sequence[Half]) -> None:
    """Destroy the private half first, so that what a failure leaves behind is of no use."""
    for half in sorted(halves, key=lambda half: half.is_public):
        session.destroy(half)
