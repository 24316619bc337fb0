"""`python -m hsm.gateway`: check the configuration, then serve until SIGTERM.

Exit status: 0 after SIGTERM or SIGINT, 78 for a wrong configuration, 69 (EX_UNAVAILABLE) for a module that cannot be
loaded or does not answer.
"""

import logging
import logging.config
import os
import sys

from hsm.device import opening
from hsm.device.errors import DeviceError
from hsm.gateway import config as configuration
from hsm.gateway.config import EX_CONFIG, Config, ConfigError
from hsm.gateway.doors import Doors
from hsm.gateway.faults import next_step_of
from hsm.gateway.ledger import Ledger
from hsm.gateway.server import LOGGING, Gateway, bind
from hsm.gateway.slots import Slots

EX_UNAVAILABLE = 69
OPEN = (
    "CA_FILE is not set: the gateway lets everybody in who knows a PIN, and anybody can use up the tries of an unknown "
    "PIN. Set CA_FILE to the CA that signs the console's client certificate."
)

log = logging.getLogger("keystead.gateway")


def main() -> int:
    """Run the daemon and return its exit status."""
    logging.config.dictConfig(LOGGING)
    try:
        config = configuration.read(os.environ)
        gateway = prepare(config)
    except ConfigError as error:
        return _stop(str(error), EX_CONFIG)
    except DeviceError as error:
        message = f"PKCS11_LIB_PATH: {error.message} ({error.code}) {next_step_of(error)}"
        return _stop(message, EX_UNAVAILABLE)
    finally:
        opening.close_all()  # the worker process starts its own hosts
    gateway.run()
    return 0


def prepare(config: Config) -> Gateway:
    """Check everything that the daemon needs, and take it. Raises ConfigError and DeviceError."""
    listeners, ports = bind(config)
    doors = Doors(config, ports)
    ledger = Ledger(config.state_dir)
    ledger.open()
    slots = Slots(config.module, config.slots)
    for warning in slots.check():
        log.warning(warning)
    if config.is_open:
        log.warning(OPEN)
    return Gateway(config, listeners=listeners, ports=ports, doors=doors, ledger=ledger, slots=slots)


def _stop(message: str, status: int) -> int:
    print(f"keystead-hmg: {message}", file=sys.stderr)  # noqa: T201 - to whoever starts it, and to the journal
    return status


if __name__ == "__main__":
    sys.exit(main())
