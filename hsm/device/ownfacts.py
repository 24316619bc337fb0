"""Our own codes, for what PKCS#11 has no return value for: module, host, deadline, token, PIN, key, pki.db."""

from hsm.device.errors import (
    BreakerOpenError,
    DeadlineError,
    HostLostError,
    KeyExistsError,
    KeyMissingError,
    ModuleError,
    PinError,
    StoreError,
    StoreLockedError,
    TokenNotFoundError,
)
from hsm.device.facts import (
    AGAIN,
    CALLER,
    CHECK_DEVICE,
    CHECK_PIN,
    DEVICE,
    OPERATOR,
    OTHER_MECHANISM,
    REPORT,
    SO,
    CodeFacts,
)

OWN: dict[str, CodeFacts] = {
    # Our own codes: what PKCS#11 has no value for
    "MODULE_NOT_FOUND": CodeFacts(
        None,
        OPERATOR,
        "The PKCS#11 module is not a file that this server can read.",
        "Check HSMModulePath: it names the vendor's library, such as /usr/lib/softhsm/libsofthsm2.so.",
        ModuleError,
    ),
    "MODULE_NOT_PKCS11": CodeFacts(
        None,
        OPERATOR,
        "The file is not a PKCS#11 module that can be loaded.",
        "Check HSMModulePath, and that the library is for this processor and has all libraries it needs.",
        ModuleError,
    ),
    "MODULE_CRASHED": CodeFacts(
        None,
        DEVICE,
        "The PKCS#11 module crashed. Only its own host process ended; the console goes on.",
        REPORT,
        HostLostError,
    ),
    "MODULE_CRASHED_ON_LOAD": CodeFacts(
        None,
        OPERATOR,
        "The PKCS#11 module crashed while it was loaded.",
        "Check that the library is the right one, and ask its vendor.",
        ModuleError,
    ),
    "DEADLINE": CodeFacts(
        None,
        DEVICE,
        "The HSM did not answer in time, so the call was ended.",
        CHECK_DEVICE,
        DeadlineError,
    ),
    "HOST_NOT_STARTED": CodeFacts(
        None,
        DEVICE,
        "The process that holds the PKCS#11 module did not start.",
        "Look at the worker's log on this server.",
        HostLostError,
    ),
    "HOST_PROTOCOL": CodeFacts(
        None,
        DEVICE,
        "The process that holds the PKCS#11 module answered with something that is no answer.",
        REPORT,
        HostLostError,
    ),
    "BREAKER_OPEN": CodeFacts(
        None,
        DEVICE,
        "The HSM failed several times in a row, so it is left alone for a moment. Nothing was tried.",
        CHECK_DEVICE,
        BreakerOpenError,
    ),
    "TOKEN_BUSY": CodeFacts(
        None,
        DEVICE,
        "Another task of this worker is using the token.",
        "Run the job again in a moment.",
    ),
    "TOKEN_NOT_FOUND": CodeFacts(
        None,
        OPERATOR,
        "The module has no such token.",
        "Compare the token name, ID and serial number with the tokens that the HSM page lists.",
        TokenNotFoundError,
    ),
    "TOKEN_AMBIGUOUS": CodeFacts(
        None,
        OPERATOR,
        "More than one token fits.",
        "Name the token by its ID (HSMTokenID) instead of its name.",
        TokenNotFoundError,
    ),
    "TOKEN_MISMATCH": CodeFacts(
        None,
        OPERATOR,
        "The token name and the token ID do not belong to the same token. The PIN was not tried.",
        "Correct HSMTokenName or HSMTokenID, or delete one of them.",
        TokenNotFoundError,
    ),
    "TOKEN_CHANGED": CodeFacts(
        None,
        OPERATOR,
        "Another token is in the slot than before, or the token was initialised anew.",
        "Check which token is connected.",
        TokenNotFoundError,
    ),
    "PIN_EMPTY": CodeFacts(None, OPERATOR, "The PIN is empty. It was not tried.", CHECK_PIN, PinError),
    "PIN_NOT_TEXT": CodeFacts(
        None, OPERATOR, "The PIN is not valid UTF-8 text. It was not tried.", CHECK_PIN, PinError
    ),
    "PIN_LENGTH": CodeFacts(
        None, OPERATOR, "The PIN is shorter or longer than the token allows. It was not tried.", CHECK_PIN, PinError
    ),
    "PIN_LOCKED": CodeFacts(
        None, OPERATOR, "The token says that its PIN is locked. The PIN was not tried.", f"{SO} to unlock it.", PinError
    ),
    "PIN_FINAL_TRY": CodeFacts(
        None,
        OPERATOR,
        "The token says that one more wrong PIN locks it. The PIN was not tried.",
        "Log in once with the right PIN by a tool of the vendor, which clears this mark, then try again.",
        PinError,
    ),
    "PIN_NOT_SET": CodeFacts(
        None,
        OPERATOR,
        "The token has no user PIN yet. The PIN was not tried.",
        f"{SO} to initialise the user PIN (pkcs11-tool --init-pin).",
        PinError,
    ),
    "PIN_REJECTED_BEFORE": CodeFacts(
        None, OPERATOR, "This PIN was refused by the token before. It was not tried again.", CHECK_PIN, PinError
    ),
    "KEY_EXISTS": CodeFacts(
        None, CALLER, "The device already holds an object with this key ID. Nothing was made.", AGAIN, KeyExistsError
    ),
    "KEY_MISSING": CodeFacts(
        None,
        OPERATOR,
        "The private key is not on the device.",
        "Check that it is the token on which the key was made.",
        KeyMissingError,
    ),
    "KEY_NOT_PROTECTED": CodeFacts(
        None,
        OPERATOR,
        "The token made a private key that could leave it. The key was destroyed again.",
        "Use another token.",
    ),
    "KEY_ID": CodeFacts(
        None, CALLER, "A key ID that the console chooses has 16 to 64 bytes, any other one 1 to 255.", AGAIN
    ),
    "KEY_DIFFERS": CodeFacts(
        None,
        OPERATOR,
        "The device holds another key under this key ID than the one that was meant. Nothing was changed.",
        "Sync the group's keys, and find out who replaced the key in the HSM.",
    ),
    "KEY_AMBIGUOUS": CodeFacts(
        None,
        OPERATOR,
        "The device holds more than one key with this key ID, so none of them was used or changed.",
        "Give each of these keys a CKA_ID of its own with the tools of the HSM, then sync the group's keys.",
    ),
    "KEY_WEAK": CodeFacts(
        None,
        CALLER,
        "The key is too weak: RSA keys need 2048 bits or more. Nothing was imported.",
        "Generate a new key, and replace the weak one wherever it is in use.",
    ),
    "MATERIAL_INVALID": CodeFacts(
        None,
        CALLER,
        "What was given is not a private key or a secret key that can be read. Nothing was imported.",
        "Give a whole, undamaged key: PKCS#8 for a key pair, 16, 24 or 32 bytes for AES.",
    ),
    "MATERIAL_MISMATCH": CodeFacts(
        None,
        CALLER,
        "The key is of another type or size than the one that was chosen. Nothing was imported.",
        "Choose the type and size that the key has.",
    ),
    "PERMISSIONS_DIFFER": CodeFacts(
        None,
        OPERATOR,
        "The token made the key with other permissions than were asked for. The key was destroyed again.",
        "Choose permissions that the token offers for this type of key, or use another token.",
    ),
    "OPERATION_NOT_PERMITTED": CodeFacts(
        None,
        CALLER,
        "The key is not permitted to do this, or a key of this type cannot be. Nothing was done.",
        "Choose another key or another operation; the key's page shows what it is permitted to do.",
    ),
    "DATA_TOO_LONG": CodeFacts(
        None,
        CALLER,
        "The data is longer than this key and method can take at once. Nothing was done.",
        "Give at most 4,096 bytes, and with RSA-OAEP at most the key's size less 42 bytes.",
    ),
    "LISTING_CHANGED": CodeFacts(
        None,
        DEVICE,
        "The objects of the token changed again and again while they were listed, so none of the list is used.",
        "Run the job again when nobody is changing keys in the HSM.",
    ),
    "KEY_UNREADABLE": CodeFacts(None, DEVICE, "The public half of the key cannot be read, or is malformed.", REPORT),
    "SIGNATURE_WRONG": CodeFacts(
        None, DEVICE, "The device returned a signature that does not verify. It was discarded.", REPORT
    ),
    "SCHEME_MISMATCH": CodeFacts(None, CALLER, "The digest or the key does not fit the signature scheme."),
    "LISTING_PARTIAL": CodeFacts(None, DEVICE, "The list of keys broke off, so none of it is used.", AGAIN),
    "SPEC_NOT_OFFERED": CodeFacts(None, CALLER, "The token does not offer keys of this kind.", OTHER_MECHANISM),
    "DEVICE_CLOSED": CodeFacts(None, CALLER, "The device was used after it was closed."),
    "STORE_MISSING": CodeFacts(
        None,
        OPERATOR,
        "The key file pki.db is missing.",
        "Restore it from a backup of this server; do not make a new one.",
        StoreError,
    ),
    "STORE_EXISTS": CodeFacts(
        None, CALLER, "A key file pki.db exists already; it was not touched.", "Use the existing file.", StoreError
    ),
    "STORE_DAMAGED": CodeFacts(
        None, OPERATOR, "The key file pki.db is damaged.", "Restore it from a backup of this server.", StoreError
    ),
    "STORE_LOCKED": CodeFacts(
        None,
        OPERATOR,
        "Nothing at hand opens pki.db. Nothing was changed.",
        "Enter the password that opens it in PKIDatabasePassword.",
        StoreLockedError,
    ),
    "STORE_BUSY": CodeFacts(
        None, DEVICE, "Another process is using pki.db for too long.", "Run the job again in a moment.", StoreError
    ),
    "STORE_NOT_CLEARED": CodeFacts(
        None,
        DEVICE,
        "The key file pki.db is changed, but what it held before could not be cleared from the disk yet: another "
        "process is using the file for too long, or the disk is full.",
        "Run the job again in a moment; it clears what is left.",
        StoreError,
    ),
    "STORE_FULL": CodeFacts(
        None,
        OPERATOR,
        "The key file pki.db cannot be written: the disk is full or failing. Nothing was changed.",
        "Free space on the disk of pki.db.",
        StoreError,
    ),
    "STORE_UNSAFE": CodeFacts(
        None,
        OPERATOR,
        "Others may read or write pki.db, so it is not used.",
        "Give the file mode 0600 and the worker's user as owner.",
        StoreError,
    ),
    "STORE_NEWER": CodeFacts(
        None,
        OPERATOR,
        "The key file pki.db was written by a newer version of Keystead. It was not touched.",
        "Run the version that wrote it, or restore a backup that was made with this version.",
        StoreError,
    ),
    "STORE_CHANGE": CodeFacts(
        None, CALLER, "This step does not fit the state of the password change.", AGAIN, StoreError
    ),
}
