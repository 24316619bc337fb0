"""A SoftHSM2 token with many EC key pairs: made once, kept as an archive where BENCH_CACHE says, else made anew."""

import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "13572468"
LABEL = "bench"
# In a process of its own: a module is never loaded into a process that may fork later.
FILL = """
import sys
import pkcs11
from pkcs11 import Attribute, KeyType
from pkcs11.util.ec import encode_named_curve_parameters

module, label, pin, count = sys.argv[1:]
(token,) = pkcs11.lib(module).get_tokens(token_label=label)
with token.open(rw=True, user_pin=pin) as session:
    curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
    parameters = session.create_domain_parameters(KeyType.EC, curve, local=True)
    for number in range(int(count)):
        parameters.generate_keypair(
            store=True, id=number.to_bytes(16, "big"), label=f"key {number:06}",
            private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False})
"""


@dataclass(frozen=True)
class BigToken:
    """A token in a folder; `environment` makes a program see it, and it only."""

    folder: Path
    slot_id: int

    @property
    def environment(self) -> dict[str, str]:
        """The environment for a program that uses the module."""
        return {**os.environ, "SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}


def make(folder: Path, pairs: int) -> BigToken:
    """Make the token in a folder, or unpack it."""
    (folder / "tokens").mkdir(parents=True)
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
    environment = {**os.environ, "SOFTHSM2_CONF": str(conf)}
    cache = os.environ.get("BENCH_CACHE")
    archive = Path(cache) / f"softhsm-{pairs}-ec-pairs.tar.gz" if cache else None
    if archive and archive.is_file():
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
    else:
        _fill(environment, pairs)
        if archive:
            archive.parent.mkdir(parents=True, exist_ok=True)
            with tarfile.open(archive, "w:gz", compresslevel=1) as packed:
                packed.add(folder / "tokens", "tokens")
    return BigToken(folder, _slot(environment))


def _fill(environment: dict[str, str], pairs: int) -> None:
    make_token = ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--so-pin", PIN, "--pin", PIN]
    subprocess.run(make_token, env=environment, check=True, capture_output=True)
    subprocess.run([sys.executable, "-c", FILL, SOFTHSM, LABEL, PIN, str(pairs)], env=environment, check=True)


def _slot(environment: dict[str, str]) -> int:
    """Return the number of the first slot, which is the token's: the other one is SoftHSM's empty slot."""
    command = ["softhsm2-util", "--show-slots"]
    shown = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return next(int(line.split()[1]) for line in shown.splitlines() if line.startswith("Slot "))
