"""Real SoftHSM2 tokens of their own folder, reached by an explicit environment instead of this process's."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
SO_PIN = "12345678"


@dataclass(frozen=True)
class Token:
    """A token as it was made."""

    label: str
    serial: str
    pin: str


class TokenFarm:
    """A folder of SoftHSM2 tokens. `environment` makes a module host see them, and them only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "tokens"
        self.folder.mkdir(parents=True)
        conf = folder / "softhsm2.conf"
        conf.write_text(f"directories.tokendir = {self.folder}\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.environment = {**os.environ, "SOFTHSM2_CONF": str(conf)}

    def make(self, label: str, pin: str = "13572468") -> Token:
        """Initialise a free slot."""
        known = set(self.serials())
        self._util("--init-token", "--free", "--label", label, "--so-pin", SO_PIN, "--pin", pin)
        (serial,) = set(self.serials()) - known
        return Token(label, serial, pin)

    def initialise_again(self, token: Token) -> None:
        """Initialise a token once more: same label, PIN and serial, but every object is gone."""
        self._util(
            "--init-token", "--serial", token.serial, "--label", token.label, "--so-pin", SO_PIN, "--pin", token.pin
        )

    def remove(self, token: Token) -> None:
        """Take a token away for good."""
        self._util("--delete-token", "--serial", token.serial)

    def change_pin(self, token: Token, new_pin: str) -> None:
        """Change the user PIN behind the console's back."""
        self.tool("--token-label", token.label, "--login", "--pin", token.pin, "--change-pin", "--new-pin", new_pin)

    def tool(self, *arguments: str) -> str:
        """Return what pkcs11-tool, a second opinion, prints."""
        command = ["pkcs11-tool", "--module", SOFTHSM, *arguments]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def private_keys(self, token: Token) -> str:
        """Return pkcs11-tool's list of the private keys."""
        return self.tool("--token-label", token.label, "--login", "--pin", token.pin, "-O", "--type", "privkey")

    def serials(self) -> list[str]:
        """Return the serial of every initialised token."""
        shown = self._util("--show-slots").splitlines()
        words = [line.split() for line in shown if line.strip().startswith("Serial number:")]
        return [word[2] for word in words if len(word) == 3]

    def _util(self, *arguments: str) -> str:
        command = ["softhsm2-util", *arguments]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout
