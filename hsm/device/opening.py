"""Open a token, or see what tokens there are. For the worker only: it needs the PIN and a module host.

with open_token(path, label="root", serial="9b29…", pin=pin, pin_version="3", deadline_s=20) as device:
    spki_der = device.generate_key_pair(key_id, KeySpec.EC_P384, "Root 1")

`open_token` logs in anew for each block, `keep_token` once for all blocks until something fails.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from hsm.device import objectwire, wire
from hsm.device.base import ModuleInfo, SecretLike, TokenInfo
from hsm.device.codes import error_for
from hsm.device.errors import DeviceError, ErrorClass
from hsm.device.pool import pool
from hsm.device.seat import HostKey, Seat, listing_key
from hsm.device.token import TokenDevice
from hsm.device.tokencalls import expect, token_info

DEADLINE_S = 20.0


def real_module_path(module_path: str) -> str:
    """Return the path without symbolic links, as modules are known by. Raises ModuleError MODULE_NOT_FOUND."""
    try:
        path = Path(module_path).resolve(strict=True)
    except (OSError, ValueError) as error:
        raise error_for("MODULE_NOT_FOUND", detail=_reason(error)) from error
    if not module_path.startswith("/") or not path.is_file():
        raise error_for("MODULE_NOT_FOUND", detail="It has to be the absolute path of a file.")
    return str(path)


def read_module(
    module_path: str, *, deadline_s: float = DEADLINE_S, environment: Mapping[str, str] | None = None
) -> ModuleInfo:
    """Load a module, or use the loaded one, and return what it says about itself. Raises DeviceError."""
    path = real_module_path(module_path)
    with _listing_seat(path, deadline_s, environment) as seat:
        if seat.loaded is None:
            raise error_for("HOST_PROTOCOL")
        return ModuleInfo(path, *_described(seat.loaded))


def list_tokens(
    module_path: str, *, deadline_s: float = DEADLINE_S, environment: Mapping[str, str] | None = None
) -> tuple[TokenInfo, ...]:
    """Return every token that the module has now, uninitialised ones included. Needs no PIN. Raises DeviceError."""
    path = real_module_path(module_path)
    with _listing_seat(path, deadline_s, environment) as seat:
        reply = seat.call(wire.ListTokens(), deadline_s, context="Listing the tokens failed.")
        if not isinstance(reply, wire.Tokens):
            raise error_for("HOST_PROTOCOL")
        return tuple(token_info(part, path) for part in reply.tokens)


def probe_token(
    module_path: str,
    *,
    label: str,
    serial: str,
    deadline_s: float = DEADLINE_S,
    environment: Mapping[str, str] | None = None,
) -> TokenInfo:
    """Prove without a PIN that a token serves: CK_TOKEN_INFO and random bytes (AMB-25). Raises DeviceError.

    The module is initialised anew when the token is not found, for it may have come back.
    """
    path = real_module_path(module_path)
    request = objectwire.Probe(label, serial)
    context = "The token does not serve."
    with pool.lease(listing_key(path, environment), deadline_s) as seat:
        try:
            reply = seat.call(request, deadline_s, context=context)
        except DeviceError as error:
            if error.error_class is ErrorClass.DEVICE:
                raise
            seat.reset(deadline_s)
            reply = seat.call(request, deadline_s, context=context)
        return token_info(expect(reply, wire.LoggedIn).token, path)


def find_token(
    module_path: str,
    *,
    label: str | None = None,
    serial: str | None = None,
    slot_id: int | None = None,
    deadline_s: float = DEADLINE_S,
    environment: Mapping[str, str] | None = None,
) -> TokenInfo:
    """Return the one initialised token that fits everything given. Raises TokenNotFoundError; tries no PIN."""
    tokens = list_tokens(module_path, deadline_s=deadline_s, environment=environment)
    tokens = tuple(token for token in tokens if token.initialized)
    wanted = {"label": label, "serial": serial, "slot_id": slot_id}
    given = {name: value for name, value in wanted.items() if value is not None}
    if not given:
        raise error_for("TOKEN_NOT_FOUND", detail="Neither a name nor an ID was given.")
    fits = [token for token in tokens if all(getattr(token, name) == value for name, value in given.items())]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise error_for("TOKEN_AMBIGUOUS")
    partly = all(any(getattr(token, name) == value for token in tokens) for name, value in given.items())
    raise error_for("TOKEN_MISMATCH" if partly and len(given) > 1 else "TOKEN_NOT_FOUND")


@contextmanager
def open_token(
    module_path: str,
    *,
    label: str | None = None,
    serial: str | None = None,
    slot_id: int | None = None,
    pin: SecretLike,
    pin_version: str,
    deadline_s: float = DEADLINE_S,
    environment: Mapping[str, str] | None = None,
) -> Iterator[TokenDevice]:
    """Log in to a token and yield it as a Device. Raises DeviceError, PinError among them.

    The login happens here, on a module that was initialised anew, so that a changed PIN, a new token and a token that
    was initialised anew are noticed. Blocks for the same token and PIN version may be nested; they share the login.
    """
    path = real_module_path(module_path)
    if label is None or serial is None or slot_id is not None:
        token = find_token(
            path, label=label, serial=serial, slot_id=slot_id, deadline_s=deadline_s, environment=environment
        )
        label, serial = token.label, token.serial
    with pool.lease(_login_key(path, environment, label, serial, pin_version), deadline_s) as seat:
        if seat.depth == 1:
            seat.reset(deadline_s)
        with closing(TokenDevice(pool, seat, pin, deadline_s)) as device:
            device.token()
            yield device


@contextmanager
def standing_token(
    module_path: str, *, label: str, serial: str, pin: SecretLike, pin_version: str, deadline_s: float = DEADLINE_S
) -> Iterator[TokenDevice | None]:
    """Yield a token on a login that stands and has just proved to work, None when there is none.

    To initialise a module anew, as `open_token` does, takes seconds when its token holds many keys (docs/hsm.md §4).
    The deadline is for each call. Raises ModuleError when the module is not there, and TOKEN_BUSY.
    """
    path = real_module_path(module_path)
    key = _login_key(path, None, label, serial, pin_version)
    if not is_kept(path, label=label, serial=serial, pin_version=pin_version):
        yield None
        return
    with pool.lease(key, deadline_s) as seat, closing(TokenDevice(pool, seat, pin, deadline_s)) as device:
        yield device if _proves_itself(device) else None


def _proves_itself(device: TokenDevice) -> bool:
    try:
        device.probe()
    except DeviceError:
        return False
    return True


@contextmanager
def keep_token(
    module_path: str,
    *,
    label: str,
    serial: str,
    pin: SecretLike,
    pin_version: str,
    deadline_s: float = DEADLINE_S,
    environment: Mapping[str, str] | None = None,
) -> Iterator[TokenDevice]:
    """Yield a token as a Device on a login that stays when the block ends. Raises DeviceError, PinError among them.

    The first block logs in; later ones with the same PIN version do not show the PIN to the token, unless the host
    was lost meanwhile. `deadline_s` is for the whole block: waiting for others, loading, the login and every call.
    What changes behind this login is noticed when it shows; before it makes a key, the device logs in anew.
    """
    until = time.monotonic() + deadline_s
    path = real_module_path(module_path)
    with (
        pool.lease(_login_key(path, environment, label, serial, pin_version), deadline_s) as seat,
        closing(TokenDevice(pool, seat, pin, deadline_s, until=until)) as device,
    ):
        device.token()
        yield device


def is_kept(
    module_path: str, *, label: str, serial: str, pin_version: str, environment: Mapping[str, str] | None = None
) -> bool:
    """Say whether a login of this PIN version stands now. Raises ModuleError when the module is not there."""
    key = _login_key(real_module_path(module_path), environment, label, serial, pin_version)
    seat = pool.seat(key)
    return seat is not None and seat.running and seat.logged_in is not None


def forget_token(
    module_path: str, *, label: str, serial: str, pin_version: str, environment: Mapping[str, str] | None = None
) -> None:
    """End a login and its host, after the call that is under way; harmless when there is none. Raises DeviceError."""
    key = _login_key(real_module_path(module_path), environment, label, serial, pin_version)
    if pool.seat(key) is not None:
        with pool.lease(key, DEADLINE_S) as seat:
            seat.drop()


def close_all() -> None:
    """End every module host of this process."""
    pool.close_all()


def _login_key(path: str, environment: Mapping[str, str] | None, label: str, serial: str, pin_version: str) -> HostKey:
    return replace(listing_key(path, environment), label=label, serial=serial, pin_version=pin_version)


@contextmanager
def _listing_seat(path: str, deadline_s: float, environment: Mapping[str, str] | None) -> Iterator[Seat]:
    with pool.lease(listing_key(path, environment), deadline_s) as seat:
        seat.reset(deadline_s)
        seat.start(deadline_s)
        yield seat


def _described(loaded: wire.Loaded) -> tuple[str, str, str, str]:
    return loaded.manufacturer, loaded.description, loaded.library_version, loaded.cryptoki_version


def _reason(error: Exception) -> str:
    return f"{error.strerror}." if isinstance(error, OSError) and error.strerror else ""
