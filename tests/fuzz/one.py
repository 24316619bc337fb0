"""`python -m tests.fuzz.one NAME OPTION…`: one reader under atheris, in this process; libFuzzer's options."""

import sys

import atheris

# Without instrumentation the fuzzer would be blind: the readers, and what they call, are imported here first.
with atheris.instrument_imports(include=["trust", "keys"]):
    from tests.fuzz.targets import TARGETS


def main(name: str, options: list[str]) -> None:
    """Fuzz; ends the process."""
    atheris.Setup([sys.argv[0], *options], TARGETS[name].test)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
