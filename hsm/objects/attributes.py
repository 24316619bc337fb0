"""The attributes of a key as other interfaces name them: PKCS#11 v2.40, and CNG (ncrypt.h, Key Storage Properties)."""

from dataclasses import dataclass

from hsm.device.objects import Operation
from hsm.models.objects import Family, SecurityObject
from hsm.syncing.facts import ATTRIBUTES

SAID = {True: "CK_TRUE", False: "CK_FALSE", None: "not said by the HSM"}
CURVES = {"ec-p256": "secp256r1", "ec-p384": "secp384r1", "ec-p521": "secp521r1"}

# NCRYPT_KEY_USAGE_PROPERTY
USAGES = (
    (
        "NCRYPT_ALLOW_DECRYPT_FLAG",
        0x1,
        frozenset({Operation.DECRYPT, Operation.ENCRYPT, Operation.UNWRAP, Operation.WRAP}),
    ),
    ("NCRYPT_ALLOW_SIGNING_FLAG", 0x2, frozenset({Operation.SIGN, Operation.VERIFY})),
    ("NCRYPT_ALLOW_KEY_AGREEMENT_FLAG", 0x4, frozenset({Operation.DERIVE})),
)


@dataclass(frozen=True)
class Attribute:
    """One line; `note` says where the value comes from where that is not plain."""

    name: str
    value: str
    note: str = ""


def pkcs11(key: SecurityObject) -> list[Attribute]:
    """Return the attributes of the key, or of both halves of a pair; permissions as the console has them."""
    secret = key.family == Family.SECRET_KEY
    label_note = "" if key.hsm_label in ("", key.label) else f"In the HSM: {key.hsm_label}"
    lines = [
        Attribute("CKA_CLASS", "CKO_SECRET_KEY" if secret else "CKO_PRIVATE_KEY, CKO_PUBLIC_KEY"),
        Attribute("CKA_KEY_TYPE", key.key_type if key.key_type.startswith("0x") else f"CKK_{key.key_type}"),
        Attribute("CKA_ID", key.key_id),
        Attribute("CKA_LABEL", key.label, label_note),
        *_size(key),
        Attribute("CKA_TOKEN", SAID[True]),
    ]
    lines += [Attribute(shown, SAID[key.hsm_attributes.get(name)]) for name, shown in ATTRIBUTES.items()]
    return lines + [_permission(key, one) for one in Operation]


def _size(key: SecurityObject) -> list[Attribute]:
    if key.spec in CURVES:
        return [Attribute("CKA_EC_PARAMS", CURVES[key.spec])]
    if not key.bits:
        return []
    if key.family == Family.SECRET_KEY:
        return [Attribute("CKA_VALUE_LEN", str(key.bits // 8))]
    return [Attribute("CKA_MODULUS_BITS", str(key.bits))] if key.key_type == "RSA" else []


def _permission(key: SecurityObject, operation: Operation) -> Attribute:
    here = operation in key.operations
    there = None if key.hsm_operations is None else operation in key.hsm_operations
    differs = key.group.is_hsm and there is not None and there != here
    return Attribute(operation.attribute, SAID[here], f"In the HSM: {SAID[there]}" if differs else "")


def cng(key: SecurityObject) -> list[Attribute]:
    """Return the properties under which a CNG key storage provider would show the key; derived, not stored."""
    usage = [(name, flag) for name, flag, operations in USAGES if operations & set(key.operations)]
    extractable = key.hsm_attributes.get("extractable")
    hardware = key.group.is_hsm
    return [
        Attribute("NCRYPT_NAME_PROPERTY", key.label or key.name),
        Attribute("NCRYPT_UNIQUE_NAME_PROPERTY", key.key_id, "The CKA_ID"),
        Attribute("NCRYPT_ALGORITHM_GROUP_PROPERTY", _algorithm_group(key)),
        Attribute("NCRYPT_ALGORITHM_PROPERTY", _algorithm(key)),
        Attribute("NCRYPT_LENGTH_PROPERTY", str(key.bits or "not known")),
        Attribute(
            "NCRYPT_EXPORT_POLICY_PROPERTY",
            "NCRYPT_ALLOW_EXPORT_FLAG (0x1)" if extractable else "0x0",
            "The console exports no material, whatever the HSM would allow" if extractable else "No export",
        ),
        Attribute(
            "NCRYPT_KEY_USAGE_PROPERTY",
            f"0x{sum(flag for _, flag in usage):x}",
            ", ".join(name for name, _ in usage) or "No use is permitted",
        ),
        Attribute(
            "NCRYPT_IMPL_TYPE_PROPERTY",
            "NCRYPT_IMPL_HARDWARE_FLAG (0x1)" if hardware else "NCRYPT_IMPL_SOFTWARE_FLAG (0x2)",
        ),
    ]


def _algorithm_group(key: SecurityObject) -> str:
    if key.key_type == "EC":
        return "ECDH" if Operation.DERIVE in key.operations else "ECDSA"
    return key.key_type


def _algorithm(key: SecurityObject) -> str:
    if key.key_type == "EC" and key.bits:
        return f"{_algorithm_group(key)}_P{key.bits}"
    return key.key_type
