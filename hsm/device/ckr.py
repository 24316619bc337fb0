"""From an exception of python-pkcs11 to the name of its return value.

python-pkcs11 0.10.1 has a class for most values, keeps no number, and tells the rest apart by text only.
"""

import re

from hsm.device.codes import CODES

NUMBERS = {facts.number: name for name, facts in CODES.items() if facts.number is not None}
WORD_STARTS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
UNMAPPED = re.compile(r"Unmapped error code (0x[0-9a-fA-F]+)")
CLASSES = {
    "AnotherUserAlreadyLoggedIn": "CKR_USER_ANOTHER_ALREADY_LOGGED_IN",
    "TokenNotRecognised": "CKR_TOKEN_NOT_RECOGNIZED",
    "FunctionCancelled": "CKR_FUNCTION_CANCELED",
    "NoSuchToken": "TOKEN_NOT_FOUND",
    "MultipleTokensReturned": "TOKEN_AMBIGUOUS",
    "NoSuchKey": "KEY_MISSING",
    "MultipleObjectsReturned": "KEY_EXISTS",
}
TEXTS = {
    "OS exception while loading": "MODULE_NOT_PKCS11",
    "Unknown exception while loading": "MODULE_NOT_PKCS11",
    "already initialized": "CKR_CRYPTOKI_ALREADY_INITIALIZED",
    "not initialized": "CKR_CRYPTOKI_NOT_INITIALIZED",
    "Buffer was too small": "CKR_BUFFER_TOO_SMALL",
    "Parallel not supported": "CKR_SESSION_PARALLEL_NOT_SUPPORTED",
    "User type invalid": "CKR_USER_TYPE_INVALID",
}


def code_of(error: Exception) -> str:
    """Return `CKR_…`, `CKR_0x…` for a value without a name, or one of our own codes."""
    name = type(error).__name__
    if name in CLASSES:
        return CLASSES[name]
    if name != "PKCS11Error":
        return "CKR_" + WORD_STARTS.sub("_", name).upper()
    text = str(error)
    if unmapped := UNMAPPED.search(text):
        number = int(unmapped[1], 16)
        return NUMBERS.get(number, f"CKR_0x{number:08X}")
    return next((code for part, code in TEXTS.items() if part in text), "CKR_GENERAL_ERROR")
