"""`./run fuzz [SECONDS]`: atheris on the parsers of what comes from outside, each for that long (default: 60 s).

What a parser may raise stands in its docstring; anything else, a hang or a crash ends the run with the input in
build/fuzz. The suite asks the same by hypothesis, without coverage to guide it.
"""

import base64
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

HERE = Path(__file__).parent
FOUND = HERE.parent.parent / "build" / "fuzz"

with atheris.instrument_imports(include=["trust.wire", "trust.clients.est"]):
    from console.lib.errors import InvalidError
    from trust.clients.est import wire
    from trust.wire import initfile, names, proof, signed
    from trust.wire.errors import WireError


def _request(raw: bytes) -> None:
    wire.read_request(base64.b64encode(raw))


PARSERS: dict[str, Callable[[bytes], object]] = {
    "request-der": _request,
    "request-body": wire.read_request,
    "proof": proof.decode,
    "envelope": signed.decode,
    "init-file": lambda raw: initfile.decode(initfile.FIRST_LINE + raw),
    "name": lambda raw: names.client_name(raw.decode("utf-8", "replace")),
}


def one(name: str, options: list[str]) -> None:
    """Fuzz one parser in this process."""
    parser = PARSERS[name]

    def test(raw: bytes) -> None:
        with suppress(WireError, InvalidError):
            parser(raw)

    FOUND.mkdir(parents=True, exist_ok=True)
    # By itself libFuzzer would write what it finds into the folder that it was started in; a later option counts.
    atheris.Setup([sys.argv[0], f"-artifact_prefix={FOUND}/{name}-", *options], test)
    atheris.Fuzz()


def seeds(name: str) -> Path:
    """Return a folder with what the fuzzer begins with: a request that is right."""
    from tests.trust.clients.est.requesting import csr, new_key, proven

    folder = FOUND / "corpus" / name
    folder.mkdir(parents=True, exist_ok=True)
    good = {"plain": csr("pc1.example.com"), "proven": proven("pc1.example.com", new_key(), new_key(), b"n" * 56)}
    if name.startswith("request"):
        for label, der in good.items():
            (folder / label).write_bytes(der if name == "request-der" else base64.b64encode(der))
    return folder


def main(seconds: int) -> int:
    """Fuzz each parser in a process of its own; return how many failed."""
    failed = 0
    for name in PARSERS:
        options = [str(seeds(name)), f"-max_total_time={seconds}", "-timeout=10"]
        done = subprocess.run([sys.executable, "-m", "tests.fuzz", name, *options], cwd=HERE.parent.parent, check=False)
        failed += done.returncode != 0
        sys.stdout.write(f"{name}: {'FAILED' if done.returncode else 'nothing found'}\n")
    return failed


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in PARSERS:
        one(sys.argv[1], sys.argv[2:])
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60))
