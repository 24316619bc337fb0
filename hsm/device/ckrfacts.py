"""Every return value of PKCS#11 v3.0 as data: number, error class, plain sentence, next step.

The classes follow what modules really do: GENERAL_ERROR also stands for client faults, so nothing here is retried
more than once. A sentence says what happened; "nothing was changed" is added only by who knows it.
"""

from hsm.device.errors import DeviceError, ErrorClass, ModuleError, PinError, TokenNotFoundError
from hsm.device.facts import (
    AGAIN,
    CALLER,
    CHECK_DEVICE,
    CHECK_PIN,
    DEVICE,
    OPERATOR,
    OTHER_MECHANISM,
    REPORT,
    RESTART_OK,
    RETRY,
    SO,
    CodeFacts,
)


def _ckr(
    number: int,
    error_class: ErrorClass,
    sentence: str,
    next_step: str = REPORT,
    raises: type[DeviceError] = DeviceError,
) -> CodeFacts:
    return CodeFacts(number, error_class, sentence, next_step, raises)


CKR: dict[str, CodeFacts] = {
    # The module and the library
    "CKR_CANCEL": _ckr(0x01, CALLER, "The operation was cancelled.", AGAIN),
    "CKR_HOST_MEMORY": _ckr(
        0x02,
        DEVICE,
        "The PKCS#11 module ran out of memory on this server.",
        "Free memory on the server, then run the job again.",
    ),
    "CKR_GENERAL_ERROR": _ckr(
        0x05, DEVICE, "The PKCS#11 module reports a general error, without saying which.", CHECK_DEVICE
    ),
    "CKR_FUNCTION_FAILED": _ckr(0x06, DEVICE, "The PKCS#11 module could not carry out the call.", CHECK_DEVICE),
    "CKR_ARGUMENTS_BAD": _ckr(0x07, CALLER, "The PKCS#11 module does not accept the arguments of the call."),
    "CKR_NO_EVENT": _ckr(0x08, CALLER, "No slot event is waiting."),
    "CKR_NEED_TO_CREATE_THREADS": _ckr(0x09, OPERATOR, "The PKCS#11 module needs to create threads and may not."),
    "CKR_CANT_LOCK": _ckr(0x0A, OPERATOR, "The PKCS#11 module cannot use the locking of this system."),
    "CKR_FUNCTION_NOT_PARALLEL": _ckr(0x51, CALLER, "No parallel function is running in this session."),
    "CKR_FUNCTION_CANCELED": _ckr(0x50, CALLER, "The operation was cancelled at the HSM.", AGAIN),
    "CKR_FUNCTION_NOT_SUPPORTED": _ckr(
        0x54, CALLER, "The PKCS#11 module does not offer this function.", OTHER_MECHANISM
    ),
    "CKR_FUNCTION_REJECTED": _ckr(
        0x200,
        OPERATOR,
        "A person at the HSM rejected the operation.",
        "Agree with whoever is at the HSM, then run the job again.",
    ),
    "CKR_TOKEN_RESOURCE_EXCEEDED": _ckr(
        0x201,
        DEVICE,
        "The token has no resources left for this operation.",
        "Wait for other work on the token to end, then run the job again.",
    ),
    "CKR_OPERATION_CANCEL_FAILED": _ckr(0x202, RETRY, "An operation could not be cancelled.", AGAIN),
    "CKR_CRYPTOKI_NOT_INITIALIZED": _ckr(0x190, DEVICE, "The PKCS#11 module lost its initialisation.", RESTART_OK),
    "CKR_CRYPTOKI_ALREADY_INITIALIZED": _ckr(0x191, DEVICE, "The PKCS#11 module was initialised twice.", RESTART_OK),
    "CKR_MUTEX_BAD": _ckr(0x1A0, DEVICE, "The PKCS#11 module reports a bad lock.", RESTART_OK),
    "CKR_MUTEX_NOT_LOCKED": _ckr(0x1A1, DEVICE, "The PKCS#11 module reports a lock that is not held.", RESTART_OK),
    "CKR_NEW_PIN_MODE": _ckr(
        0x1B0, OPERATOR, "The token wants a new PIN.", f"{SO} to set the PIN, then enter it in the settings."
    ),
    "CKR_NEXT_OTP": _ckr(0x1B1, OPERATOR, "The token wants its next one-time password, which the console cannot give."),
    "CKR_VENDOR_DEFINED": _ckr(0x80000000, DEVICE, "The PKCS#11 module reports an error of its vendor's own."),
    # Slots, tokens, the device
    "CKR_SLOT_ID_INVALID": _ckr(
        0x03,
        OPERATOR,
        "The module has no slot with this ID.",
        "Compare HSMTokenID with the tokens that the HSM page lists.",
        TokenNotFoundError,
    ),
    "CKR_DEVICE_ERROR": _ckr(0x30, DEVICE, "The HSM reports an error of the device.", CHECK_DEVICE),
    "CKR_DEVICE_MEMORY": _ckr(
        0x31,
        DEVICE,
        "The token has no memory left.",
        "Remove objects from the token that nobody needs, or use another token.",
    ),
    "CKR_DEVICE_REMOVED": _ckr(0x32, DEVICE, "The token was removed while it was in use.", CHECK_DEVICE),
    "CKR_TOKEN_NOT_PRESENT": _ckr(
        0xE0, DEVICE, "No token is in the slot.", "Insert or connect the token, then run the job again."
    ),
    "CKR_TOKEN_NOT_RECOGNIZED": _ckr(
        0xE1,
        OPERATOR,
        "The module does not recognise the token in the slot.",
        "Check that the token belongs to this module.",
    ),
    "CKR_TOKEN_WRITE_PROTECTED": _ckr(
        0xE2, OPERATOR, "The token is write protected.", f"{SO} to lift the write protection."
    ),
    "CKR_RANDOM_SEED_NOT_SUPPORTED": _ckr(0x120, CALLER, "The token takes no random seed."),
    "CKR_RANDOM_NO_RNG": _ckr(0x121, OPERATOR, "The token has no random number generator.", "Use another token."),
    # PIN and login
    "CKR_PIN_INCORRECT": _ckr(0xA0, OPERATOR, "The token refused the PIN.", CHECK_PIN, PinError),
    "CKR_PIN_INVALID": _ckr(
        0xA1, OPERATOR, "The token does not accept the characters of the PIN.", CHECK_PIN, PinError
    ),
    "CKR_PIN_LEN_RANGE": _ckr(0xA2, OPERATOR, "The PIN is too short or too long for the token.", CHECK_PIN, PinError),
    "CKR_PIN_EXPIRED": _ckr(
        0xA3,
        OPERATOR,
        "The PIN of the token has expired.",
        f"{SO} to renew the PIN, then enter it in the settings.",
        PinError,
    ),
    "CKR_PIN_LOCKED": _ckr(
        0xA4, OPERATOR, "The PIN of the token is locked after too many wrong tries.", f"{SO} to unlock it.", PinError
    ),
    "CKR_PIN_TOO_WEAK": _ckr(
        0x1B8, OPERATOR, "The token finds the PIN too weak.", f"{SO} to set a stronger PIN.", PinError
    ),
    "CKR_USER_PIN_NOT_INITIALIZED": _ckr(
        0x102,
        OPERATOR,
        "The token has no user PIN yet.",
        f"{SO} to initialise the user PIN (pkcs11-tool --init-pin).",
        PinError,
    ),
    "CKR_USER_TYPE_INVALID": _ckr(0x103, CALLER, "The token does not know this type of user."),
    "CKR_USER_ALREADY_LOGGED_IN": _ckr(0x100, RETRY, "The module says that the user is logged in already.", RESTART_OK),
    "CKR_USER_NOT_LOGGED_IN": _ckr(0x101, RETRY, "The token ended the login.", AGAIN),
    "CKR_USER_ANOTHER_ALREADY_LOGGED_IN": _ckr(
        0x104,
        OPERATOR,
        "Another user is logged in to the token.",
        "End the other login (often the security officer's), then run the job again.",
    ),
    "CKR_USER_TOO_MANY_TYPES": _ckr(
        0x105, OPERATOR, "Too many users are logged in to the token.", "End other logins, then run the job again."
    ),
    # Sessions and operations
    "CKR_SESSION_CLOSED": _ckr(0xB0, RETRY, "The session with the token was closed.", AGAIN),
    "CKR_SESSION_COUNT": _ckr(
        0xB1,
        DEVICE,
        "The token has no free session.",
        "Close other programs that use the token, then run the job again.",
    ),
    "CKR_SESSION_HANDLE_INVALID": _ckr(0xB3, RETRY, "The session with the token is no longer valid.", AGAIN),
    "CKR_SESSION_PARALLEL_NOT_SUPPORTED": _ckr(0xB4, CALLER, "The token offers no parallel sessions."),
    "CKR_SESSION_READ_ONLY": _ckr(
        0xB5, OPERATOR, "The session with the token is read-only.", f"{SO} whether the token may be written to."
    ),
    "CKR_SESSION_EXISTS": _ckr(0xB6, OPERATOR, "A session with the token is open and stands in the way.", AGAIN),
    "CKR_SESSION_READ_ONLY_EXISTS": _ckr(0xB7, OPERATOR, "A read-only session is open and stands in the way.", AGAIN),
    "CKR_SESSION_READ_WRITE_SO_EXISTS": _ckr(
        0xB8,
        OPERATOR,
        "The security officer is logged in to the token.",
        "Have the security officer log out, then run the job again.",
    ),
    "CKR_OPERATION_ACTIVE": _ckr(0x90, RETRY, "An earlier operation of the session has not ended.", AGAIN),
    "CKR_OPERATION_NOT_INITIALIZED": _ckr(0x91, RETRY, "The operation of the session was lost.", AGAIN),
    "CKR_STATE_UNSAVEABLE": _ckr(0x180, CALLER, "The state of the operation cannot be saved."),
    "CKR_SAVED_STATE_INVALID": _ckr(0x160, CALLER, "The saved state of the operation is not valid."),
    # Objects, attributes, templates
    "CKR_OBJECT_HANDLE_INVALID": _ckr(0x82, RETRY, "The object is no longer on the token.", AGAIN),
    "CKR_ATTRIBUTE_READ_ONLY": _ckr(0x10, CALLER, "The attribute of the object cannot be changed."),
    "CKR_ATTRIBUTE_SENSITIVE": _ckr(0x11, CALLER, "The token does not reveal the attribute."),
    "CKR_ATTRIBUTE_TYPE_INVALID": _ckr(
        0x12, CALLER, "The token does not know an attribute of the request.", OTHER_MECHANISM
    ),
    "CKR_ATTRIBUTE_VALUE_INVALID": _ckr(
        0x13, CALLER, "The token does not accept the value of an attribute.", OTHER_MECHANISM
    ),
    "CKR_ACTION_PROHIBITED": _ckr(
        0x1B, OPERATOR, "The token forbids this action on the object.", f"{SO} why the object is protected."
    ),
    "CKR_TEMPLATE_INCOMPLETE": _ckr(0xD0, CALLER, "The token misses an attribute in the request.", OTHER_MECHANISM),
    "CKR_TEMPLATE_INCONSISTENT": _ckr(
        0xD1, CALLER, "The token finds the attributes of the request contradictory.", OTHER_MECHANISM
    ),
    "CKR_DOMAIN_PARAMS_INVALID": _ckr(
        0x130, CALLER, "The token does not accept the domain parameters.", OTHER_MECHANISM
    ),
    "CKR_CURVE_NOT_SUPPORTED": _ckr(0x140, CALLER, "The token does not offer this elliptic curve.", OTHER_MECHANISM),
    "CKR_COPY_PROHIBITED": _ckr(0x1A, CALLER, "The token forbids to copy the object."),
    "CKR_INFORMATION_SENSITIVE": _ckr(0x170, CALLER, "The token does not reveal this information."),
    # Keys
    "CKR_KEY_HANDLE_INVALID": _ckr(0x60, RETRY, "The key is no longer on the token.", AGAIN),
    "CKR_KEY_SIZE_RANGE": _ckr(0x62, CALLER, "The token does not offer keys of this size.", OTHER_MECHANISM),
    "CKR_KEY_TYPE_INCONSISTENT": _ckr(0x63, CALLER, "The key is of another type than the operation needs."),
    "CKR_KEY_NOT_NEEDED": _ckr(0x64, CALLER, "A key was given that the operation does not need."),
    "CKR_KEY_CHANGED": _ckr(0x65, CALLER, "A key is not the one that was used before."),
    "CKR_KEY_NEEDED": _ckr(0x66, CALLER, "The operation needs a key that was not given."),
    "CKR_KEY_INDIGESTIBLE": _ckr(0x67, CALLER, "The token does not digest the value of this key."),
    "CKR_KEY_FUNCTION_NOT_PERMITTED": _ckr(0x68, OPERATOR, "The key is on the token, but may not be used in this way."),
    "CKR_KEY_NOT_WRAPPABLE": _ckr(0x69, CALLER, "The token does not wrap this key."),
    "CKR_KEY_UNEXTRACTABLE": _ckr(0x6A, CALLER, "The key cannot leave the token, and should not."),
    "CKR_KEY_PARAMS_INVALID": _ckr(
        0x6B, CALLER, "The token does not accept the parameters of the key.", OTHER_MECHANISM
    ),
    "CKR_PUBLIC_KEY_INVALID": _ckr(0x1B9, CALLER, "The token finds the public key not valid."),
    "CKR_UNWRAPPING_KEY_HANDLE_INVALID": _ckr(0xF0, RETRY, "The unwrapping key is no longer on the token.", AGAIN),
    "CKR_UNWRAPPING_KEY_SIZE_RANGE": _ckr(0xF1, CALLER, "The unwrapping key has the wrong size."),
    "CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT": _ckr(0xF2, CALLER, "The unwrapping key is of the wrong type."),
    "CKR_WRAPPED_KEY_INVALID": _ckr(0x110, CALLER, "The wrapped key is not valid."),
    "CKR_WRAPPED_KEY_LEN_RANGE": _ckr(0x112, CALLER, "The wrapped key has the wrong length."),
    "CKR_WRAPPING_KEY_HANDLE_INVALID": _ckr(0x113, RETRY, "The wrapping key is no longer on the token.", AGAIN),
    "CKR_WRAPPING_KEY_SIZE_RANGE": _ckr(0x114, CALLER, "The wrapping key has the wrong size."),
    "CKR_WRAPPING_KEY_TYPE_INCONSISTENT": _ckr(0x115, CALLER, "The wrapping key is of the wrong type."),
    # Mechanisms and data
    "CKR_MECHANISM_INVALID": _ckr(0x70, CALLER, "The token does not offer this mechanism.", OTHER_MECHANISM),
    "CKR_MECHANISM_PARAM_INVALID": _ckr(
        0x71, CALLER, "The token does not accept the parameters of the mechanism.", OTHER_MECHANISM
    ),
    "CKR_DATA_INVALID": _ckr(0x20, CALLER, "The token does not accept the data."),
    "CKR_DATA_LEN_RANGE": _ckr(0x21, CALLER, "The data has a length that the token does not accept."),
    "CKR_ENCRYPTED_DATA_INVALID": _ckr(0x40, CALLER, "The encrypted data is not valid."),
    "CKR_ENCRYPTED_DATA_LEN_RANGE": _ckr(0x41, CALLER, "The encrypted data has the wrong length."),
    "CKR_AEAD_DECRYPT_FAILED": _ckr(0x42, CALLER, "The encrypted data does not decrypt."),
    "CKR_SIGNATURE_INVALID": _ckr(0xC0, CALLER, "The signature is not valid."),
    "CKR_SIGNATURE_LEN_RANGE": _ckr(0xC1, CALLER, "The signature has the wrong length."),
    "CKR_BUFFER_TOO_SMALL": _ckr(0x150, DEVICE, "The PKCS#11 module needs a larger buffer than it announced.", AGAIN),
    "CKR_EXCEEDED_MAX_ITERATIONS": _ckr(0x1B5, DEVICE, "The token gave up before the key was made.", AGAIN),
    "CKR_FIPS_SELF_TEST_FAILED": _ckr(0x1B6, OPERATOR, "The token failed its own FIPS self-test and refuses to work."),
    "CKR_LIBRARY_LOAD_FAILED": _ckr(
        0x1B7, OPERATOR, "The PKCS#11 module could not load a library that it needs.", REPORT, ModuleError
    ),
}
