"""Builds and commands `faulty.c`, the PKCS#11 module that misbehaves on order."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("faulty.c")


def build(source: Path, target: Path) -> Path:
    """Compile a shared library and return its path; gcc is one of the packages that the tests need."""
    flags = ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-O1"]
    subprocess.run(["gcc", *flags, "-o", str(target), str(source), "-ldl"], check=True)
    return target


@dataclass(frozen=True)
class FaultyModule:
    """The shim around a real module, with its own orders and its own log of calls."""

    path: Path
    folder: Path
    real_module: str

    @property
    def environment(self) -> dict[str, str]:
        """What the host needs beside the real module's own variables."""
        return {
            "FAULTY_MODULE": self.real_module,
            "FAULTY_ORDERS": str(self.folder / "orders"),
            "FAULTY_LOG": str(self.folder / "calls"),
        }

    def order(self, text: str) -> None:
        """Give an order, such as `C_GenerateKeyPair after hang` or `C_Sign before return 0x30 once`."""
        draft = self.folder / "orders.new"
        draft.write_text(text + "\n")
        draft.rename(self.folder / "orders")

    def behave(self) -> None:
        """Take the order back."""
        (self.folder / "orders").unlink(missing_ok=True)

    def calls(self) -> list[str]:
        """Return the names of the functions called since the last `forget_calls`."""
        log = self.folder / "calls"
        return log.read_text().split() if log.exists() else []

    def forget_calls(self) -> None:
        """Start the log anew."""
        (self.folder / "calls").unlink(missing_ok=True)
