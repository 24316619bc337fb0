"""Open the place where a key lives. For the worker: import contracts keep this module from the web."""

from collections.abc import Iterator
from contextlib import contextmanager

from hsm.bindings import open_binding
from hsm.device.base import Device
from hsm.device.signer import device_private_key
from keys.keystore import open_local_store
from keys.models.keypair import KeyPair, Store
from keys.signing import Signer


@contextmanager
def open_device(key: KeyPair) -> Iterator[Device]:
    """Yield the device that holds, or will hold, the private half of `key`. Raises DeviceError or ConsoleError."""
    if key.store == Store.TOKEN and key.binding is not None:
        with open_binding(key.binding) as device:
            yield device
        return
    with open_local_store() as store:
        yield store.device()


def signer(device: Device, key: KeyPair) -> Signer:
    """Return an object that signs with `key` and looks to `cryptography` like a private key."""
    return device_private_key(device, key.cka_id, bytes(key.spki_der))


@contextmanager
def open_signer(key: KeyPair) -> Iterator[Signer]:
    """Yield the signer of a finished key, with its device open."""
    with open_device(key) as device:
        yield signer(device, key)
