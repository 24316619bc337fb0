"""PKCS#11 through python-pkcs11, inside the module host and nowhere else.

Only mechanisms that work everywhere are used: the hash is made by the caller, and the token does raw ECDSA, RSA_PKCS
over a DigestInfo, and RSA_PKCS_PSS. One anchor session holds the login; work is done on a session opened without a
PIN, because closing a session that logged in logs the whole process out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.constants import DEFAULT
from pkcs11.constants import TokenFlag as PyTokenFlag
from pkcs11.exceptions import PKCS11Error, TokenNotPresent, TokenNotRecognised, TokenWriteProtected

from hsm.device import wire
from hsm.device.base import KeySpec, SignatureScheme, TokenFlag
from hsm.device.ckr import code_of
from hsm.device.codes import CODES
from hsm.device.errors import ErrorClass
from hsm.device.faults import ModuleFaultError
from hsm.device.p11read import RawMapper, first_of, key_part, mechanism_part, serial_of, token_part, version_text

MAX_PIN_BYTES = 255
CURVES = {KeySpec.EC_P256: "secp256r1", KeySpec.EC_P384: "secp384r1", KeySpec.EC_P521: "secp521r1"}
RSA_BITS = {KeySpec.RSA_2048: 2048, KeySpec.RSA_3072: 3072, KeySpec.RSA_4096: 4096}
# DigestInfo up to the digest, RFC 8017 §9.2 note 1
DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
}
PSS_SHA256 = (Mechanism.SHA256, pkcs11.MGF.SHA256, 32)
KEY_CLASSES = (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)
SIGNING = MechanismFlag.SIGN | MechanismFlag.VERIFY


@dataclass(frozen=True)
class TemplateProfile:
    """What a module wants left out of templates; `word` occurs in what the module says about itself."""

    word: str
    public: dict[Attribute, Any]
    private: dict[Attribute, Any]


# tpm2-pkcs11 1.9 refuses the usage flags of both templates (GENERAL_ERROR) and sets them by itself.
TPM2 = TemplateProfile(
    "tpm2",
    {Attribute.VERIFY: DEFAULT, Attribute.ENCRYPT: DEFAULT, Attribute.WRAP: DEFAULT},
    {Attribute.SIGN: DEFAULT, Attribute.DECRYPT: DEFAULT, Attribute.UNWRAP: DEFAULT, Attribute.DERIVE: DEFAULT},
)
STANDARD = TemplateProfile("", {}, {})
PROFILES = (TPM2, STANDARD)


class Module:
    """One loaded module and, after `login`, one token of it. Every method raises ModuleFaultError and nothing else."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._lib = pkcs11.lib(path)
        except PKCS11Error as error:
            raise ModuleFaultError(code_of(error), _first_line(error)) from error
        self._token: Any = None
        self._anchor: Any = None
        self._work: Any = None
        self._handles: dict[bytes, Any] = {}
        described = f"{self._lib.manufacturer_id} {self._lib.library_description}".lower()
        self._profile = next(profile for profile in PROFILES if profile.word in described)

    @property
    def slot_id(self) -> int:
        """The slot of the token that is logged in to."""
        return int(self._logged_in().slot.slot_id)

    @property
    def sets_usage_itself(self) -> bool:
        """Say whether templates for new keys must not name what the key may do."""
        return self._profile is TPM2

    def info(self) -> wire.Loaded:
        """Say what the module says about itself."""
        return wire.Loaded(
            manufacturer=self._lib.manufacturer_id,
            description=self._lib.library_description,
            library_version=version_text(self._lib.library_version),
            cryptoki_version=version_text(self._lib.cryptoki_version),
        )

    def reset(self) -> None:
        """Finalise and initialise again: the login is gone, and tokens made by others are seen."""
        self._forget_login()
        with self._calls():
            self._lib.reinitialize()

    def tokens(self) -> list[wire.TokenPart]:
        """Read every token, initialised or not."""
        with self._calls():
            return [token_part(token) for token in self._present()]

    def login(self, label: str, serial: str, pin: bytes) -> wire.TokenPart:
        """Find the token by both names and log in, once. Nothing of the PIN is kept."""
        text = _pin_text(pin)
        with self._calls():
            token = self._the_token(label, serial)
            part = token_part(token)
            _refuse_hopeless_login(part)
            self._anchor = token.open(rw=False, user_pin=text, attribute_mapper=RawMapper())
            self._token = token
        return part

    def generate(self, request: wire.Generate) -> wire.KeyPart:
        """Make a key pair whose private half cannot leave the token, and describe it."""
        with self._calls():
            if self._objects(request.key_id):
                raise ModuleFaultError("KEY_EXISTS")
        public, private = self._generate(request)
        try:
            key = key_part(request.key_id, private=private, public=public)
            if key.extractable is True or key.sensitive is False:
                private.destroy()
                public.destroy()
                raise ModuleFaultError("KEY_NOT_PROTECTED")
            if not request.keep:
                self._handles[request.key_id] = private
        except PKCS11Error as error:
            raise ModuleFaultError(code_of(error), outcome_unknown=request.keep) from error
        return key

    def find(self, key_id: bytes) -> wire.KeyPart | None:
        """Describe the key pair; None only when the token itself still answers."""
        with self._calls():
            objects = self._objects(key_id)
            if not objects:
                self._confirm_token()
                return None
            return key_part(
                key_id, private=first_of(objects, pkcs11.PrivateKey), public=first_of(objects, pkcs11.PublicKey)
            )

    def sign(self, key_id: bytes, digest: bytes, scheme_name: str) -> bytes:
        """Sign a digest; the handle of a key is looked up once per session."""
        scheme = SignatureScheme(scheme_name)
        with self._calls():
            key = self._handles.get(key_id) or self._private_key(key_id)
            self._handles[key_id] = key
            if not isinstance(key, pkcs11.SignMixin):
                raise ModuleFaultError("CKR_KEY_FUNCTION_NOT_PERMITTED")
            if (key.key_type == KeyType.EC) is not scheme.is_ec:
                raise ModuleFaultError("SCHEME_MISMATCH")
            mechanism, parameter, data = _mechanism(scheme, digest)
            return bytes(key.sign(data, mechanism=mechanism, mechanism_param=parameter))

    def destroy(self, key_id: bytes) -> None:
        """Destroy every half of the pair, the private one first, and look that nothing is left."""
        with self._calls():
            self._handles.pop(key_id, None)
            objects = self._objects(key_id)
            for item in sorted(objects, key=lambda item: not isinstance(item, pkcs11.PrivateKey)):
                item.destroy()
            self._confirm_token()
            if objects and self._objects(key_id):
                raise ModuleFaultError("CKR_FUNCTION_FAILED", "The key is still on the token.")

    def list_keys(self) -> list[wire.KeyPart]:
        """Describe every key pair, all or none."""
        with self._calls():
            halves: dict[tuple[bytes, int], dict[type, Any]] = {}
            for kind in KEY_CLASSES:
                for item in list(self._session().get_objects({Attribute.CLASS: kind}, batch_size=500)):
                    key_id = bytes(item.get_attributes([Attribute.ID]).get(Attribute.ID, b""))
                    # Objects without an ID belong to no pair, so each stands alone.
                    pair = halves.setdefault((key_id, 0 if key_id else item.handle), {})
                    half = pkcs11.PrivateKey if kind is ObjectClass.PRIVATE_KEY else pkcs11.PublicKey
                    pair.setdefault(half, item)
            keys = [
                key_part(key_id, private=pair.get(pkcs11.PrivateKey), public=pair.get(pkcs11.PublicKey))
                for (key_id, _), pair in halves.items()
            ]
            self._confirm_token()
            return keys

    def token_now(self, label: str = "", serial: str = "") -> wire.TokenPart:
        """Read the token that is logged in to, or the one of these names, as it is now."""
        with self._calls():
            if label or serial:
                return token_part(self._the_token(label, serial))
            self._confirm_token()
            return token_part(self._logged_in().slot.get_token())

    def mechanisms(self) -> list[wire.MechanismPart]:
        """Read what the token advertises."""
        with self._calls():
            slot = self._logged_in().slot
            return [mechanism_part(slot, mechanism) for mechanism in sorted(slot.get_mechanisms())]

    @contextmanager
    def _calls(self) -> Iterator[None]:
        """Turn exceptions into faults, and drop the session after anything that is not the caller's fault."""
        try:
            yield
        except PKCS11Error as error:
            code = code_of(error)
            if CODES.get(code, CODES["CKR_VENDOR_DEFINED"]).error_class is not ErrorClass.CALLER:
                self._drop_session()
            raise ModuleFaultError(code, _first_line(error) if code.startswith("MODULE") else "") from error

    def _generate(self, request: wire.Generate) -> Any:
        """Return the public and the private object."""
        spec = KeySpec(request.spec)
        template = {"public_template": self._profile.public, "private_template": self._private_template()}
        common = {"id": request.key_id, "label": request.label, "store": request.keep, "capabilities": SIGNING}
        try:
            session = self._session()
            if spec in RSA_BITS:
                return session.generate_keypair(KeyType.RSA, RSA_BITS[spec], **common, **template)
            curve = pkcs11.util.ec.encode_named_curve_parameters(CURVES[spec])
            domain = session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: curve}, local=True)
            return domain.generate_keypair(**common, **template)
        except PKCS11Error as error:
            raise ModuleFaultError(code_of(error), outcome_unknown=self._may_hold(request)) from error

    def _private_template(self) -> dict[Attribute, Any]:
        return {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, **self._profile.private}

    def _may_hold(self, request: wire.Generate) -> bool:
        """After a failed generation: look, because some modules fail after the key was made."""
        self._drop_session()
        try:
            held = bool(self._objects(request.key_id))
            self._confirm_token()
        except (PKCS11Error, ModuleFaultError):
            return request.keep
        return held and request.keep

    def _private_key(self, key_id: bytes) -> Any:
        objects = self._objects(key_id)
        key = first_of(objects, pkcs11.PrivateKey)
        if key is None:
            self._confirm_token()
            raise ModuleFaultError("KEY_MISSING")
        return key

    def _objects(self, key_id: bytes) -> list[Any]:
        found = list(self._session().get_objects({Attribute.ID: key_id}, batch_size=100))
        # A certificate may share the ID of its key; it is no half of the pair.
        return [item for item in found if isinstance(item, pkcs11.PrivateKey | pkcs11.PublicKey | pkcs11.SecretKey)]

    def _present(self) -> Iterator[Any]:
        for slot in self._lib.get_slots():
            try:
                yield slot.get_token()
            except (TokenNotPresent, TokenNotRecognised):
                continue

    def _the_token(self, label: str, serial: str) -> Any:
        fits = [token for token in self._present() if (token.label, serial_of(token)) == (label, serial)]
        fits = [token for token in fits if PyTokenFlag.TOKEN_INITIALIZED in token.flags]
        if len(fits) != 1:
            raise ModuleFaultError("TOKEN_AMBIGUOUS" if fits else "TOKEN_NOT_FOUND")
        return fits[0]

    def _confirm_token(self) -> None:
        """Raise unless the slot still holds the token that we logged in to: an absent token has no objects either."""
        token = self._logged_in()
        now = token.slot.get_token()
        if (now.label, now.serial) != (token.label, token.serial):
            raise ModuleFaultError("TOKEN_CHANGED")

    def _logged_in(self) -> Any:
        if self._token is None:
            raise ModuleFaultError("CKR_USER_NOT_LOGGED_IN")
        return self._token

    def _session(self) -> Any:
        if self._work is None:
            token = self._logged_in()
            try:
                self._work = token.open(rw=True, attribute_mapper=RawMapper())
            except TokenWriteProtected:
                self._work = token.open(rw=False, attribute_mapper=RawMapper())
        return self._work

    def _drop_session(self) -> None:
        work, self._work, self._handles = self._work, None, {}
        if work is not None:
            try:
                work.close()
            except PKCS11Error:
                return  # a session that cannot be closed is gone, or goes with the host

    def _forget_login(self) -> None:
        self._token = self._anchor = self._work = None
        self._handles = {}


def _pin_text(pin: bytes) -> str:
    if not pin:
        raise ModuleFaultError("PIN_EMPTY")
    if len(pin) > MAX_PIN_BYTES:
        raise ModuleFaultError("PIN_LENGTH")
    try:
        return pin.decode()
    except UnicodeDecodeError:
        raise ModuleFaultError("PIN_NOT_TEXT") from None  # the cause would show the PIN


def _refuse_hopeless_login(token: wire.TokenPart) -> None:
    if TokenFlag.USER_PIN_LOCKED in token.flags:
        raise ModuleFaultError("PIN_LOCKED")
    if TokenFlag.USER_PIN_INITIALIZED not in token.flags:
        raise ModuleFaultError("PIN_NOT_SET")


def _mechanism(scheme: SignatureScheme, digest: bytes) -> tuple[Mechanism, Any, bytes]:
    """Return mechanism, parameter and input for a digest."""
    if scheme.is_ec:
        return Mechanism.ECDSA, None, digest
    if scheme is SignatureScheme.RSA_PSS_SHA256:
        return Mechanism.RSA_PKCS_PSS, PSS_SHA256, digest
    return Mechanism.RSA_PKCS, None, DIGEST_INFO[scheme.hash_name] + digest


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
