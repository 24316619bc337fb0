"""Which token the settings mean. Pure: what is decided here is decided before any PIN is tried."""

from collections.abc import Sequence
from dataclasses import dataclass

from hsm.device.base import TokenFlag, TokenInfo
from hsm.errors import TokenChoiceError


@dataclass(frozen=True)
class Wanted:
    """What the settings of one key say; at least one of `label` and `slot_id` is there."""

    key: str
    module_path: str
    label: str | None
    slot_id: int | None

    @property
    def name_setting(self) -> str:
        """The setting that gives the name."""
        return f"Keys.{self.key}.HSMTokenName"

    @property
    def id_setting(self) -> str:
        """The setting that gives the slot number."""
        return f"Keys.{self.key}.HSMTokenID"


def choose(tokens: Sequence[TokenInfo], wanted: Wanted) -> TokenInfo:
    """Return the one token that name and slot number mean; raises TokenChoiceError naming the settings."""
    by_name = _by_name(tokens, wanted) if wanted.label is not None else None
    by_id = _by_id(tokens, wanted) if wanted.slot_id is not None else None
    if by_name and by_id and by_name != by_id:
        raise TokenChoiceError(
            f"{wanted.name_setting} is “{wanted.label}”, but the token at {wanted.id_setting} {wanted.slot_id} is "
            f"named “{by_id.label}”. No PIN was tried.",
            code="token-mismatch",
            next_step="Make both mean the same token, or delete one of the two settings.",
        )
    token = by_name or by_id
    if token is None:
        raise TokenChoiceError(f"Neither {wanted.name_setting} nor {wanted.id_setting} is set.", code="token-not-named")
    return token


def _by_name(tokens: Sequence[TokenInfo], wanted: Wanted) -> TokenInfo:
    found = [token for token in tokens if token.initialized and token.label == wanted.label]
    if not found:
        raise TokenChoiceError(
            f"{wanted.name_setting} is “{wanted.label}”, but the module shows no token of that name.",
            code="token-not-found",
            next_step=_names_there_are(tokens),
        )
    if len(found) == 1:
        return found[0]
    at_slot = [token for token in found if token.slot_id == wanted.slot_id]
    if at_slot:
        return at_slot[0]
    slots = ", ".join(str(token.slot_id) for token in found)
    raise TokenChoiceError(
        f"{len(found)} tokens are named “{wanted.label}” (slots {slots}), so {wanted.name_setting} does not say "
        "which one is meant. No PIN was tried.",
        code="token-ambiguous",
        next_step=f"Set {wanted.id_setting} as well, or rename one of the tokens.",
    )


def _by_id(tokens: Sequence[TokenInfo], wanted: Wanted) -> TokenInfo:
    found = [token for token in tokens if token.slot_id == wanted.slot_id]
    if not found:
        raise TokenChoiceError(
            f"{wanted.id_setting} is {wanted.slot_id}, but the module shows no token in that slot.",
            code="token-not-found",
            next_step=_names_there_are(tokens),
        )
    if not found[0].initialized:
        raise TokenChoiceError(
            f"The token in slot {wanted.slot_id} ({wanted.id_setting}) is not initialised.",
            code="CKR_TOKEN_NOT_RECOGNIZED",
            next_step="Have the security officer initialise it, with a name and a PIN.",
        )
    return found[0]


def _names_there_are(tokens: Sequence[TokenInfo]) -> str:
    there = [f"“{token.label}” in slot {token.slot_id}" for token in tokens if token.initialized]
    if not there:
        return "Have the security officer initialise a token, with a name and a PIN."
    return f"The module shows {', '.join(there)}. Correct the setting, or connect the token."


@dataclass(frozen=True)
class Objection:
    """Why a token cannot be logged in to as it is now."""

    flag: TokenFlag | None
    text: str
    code: str
    next_step: str


ASK_SO = "The security officer can set the PIN anew (pkcs11-tool --login --login-type so --init-pin)."
OBJECTIONS = (
    Objection(TokenFlag.USER_PIN_LOCKED, "its PIN is locked", "CKR_PIN_LOCKED", ASK_SO),
    Objection(TokenFlag.ERROR_STATE, "it reports an internal error", "CKR_DEVICE_ERROR", "Look at the HSM itself."),
    Objection(
        TokenFlag.WRITE_PROTECTED, "it is write-protected", "CKR_TOKEN_WRITE_PROTECTED", "Allow writing on the HSM."
    ),
    Objection(
        TokenFlag.USER_PIN_TO_BE_CHANGED, "its PIN must be changed first", "CKR_PIN_EXPIRED",
        "Change it with pkcs11-tool --change-pin, and enter the new one here.",
    ),
)  # fmt: skip
NO_PIN = Objection(None, "it has no user PIN yet", "CKR_USER_PIN_NOT_INITIALIZED", ASK_SO)
LAST_TRY = Objection(
    TokenFlag.USER_PIN_FINAL_TRY,
    "one more wrong PIN would lock it, and this PIN was never accepted",
    "CKR_PIN_LOCKED",
    "Log in once with the vendor's tool, which clears the count, or enter the PIN that is known to be right.",
)


def objection(token: TokenInfo, *, proven: bool) -> Objection | None:
    """Return why a login must not be tried; `proven` says that the token accepted this PIN before."""
    for one in OBJECTIONS:
        if one.flag in token.flags:
            return one
    if TokenFlag.USER_PIN_INITIALIZED not in token.flags:
        return NO_PIN
    if LAST_TRY.flag in token.flags and not proven:
        return LAST_TRY
    return None


def refuse_unusable(token: TokenInfo, *, proven: bool) -> None:
    """Raise TokenChoiceError when a login must not be tried."""
    if found := objection(token, proven=proven):
        raise TokenChoiceError(
            f"Token “{token.label}” cannot be used: {found.text}. No PIN was tried.",
            code=found.code,
            next_step=found.next_step,
        )
