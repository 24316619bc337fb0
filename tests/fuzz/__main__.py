"""`./run fuzz [SECONDS] [NAME…]`: atheris on the readers of what comes from outside, each so long (default: 60 s).

What a reader may raise is in `targets`; anything else, a hang or a crash ends the run with the input in build/fuzz.
What was found worth keeping stays in build/fuzz/corpus, and the next run begins with it. The suite asks the same by
hypothesis, without coverage to guide it.
"""

import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from tests.fuzz.targets import TARGETS

BASE = Path(__file__).parent.parent.parent
FOUND = BASE / "build" / "fuzz"
LONGEST_S = 10
# libFuzzer's lines: how much of the code was reached by the seeds, and at the end.
COVERED = re.compile(r"^#(\d+)\s+(INITED|DONE)\s+cov: (\d+)", re.MULTILINE)


def seeds(name: str) -> Path:
    """Return a folder with what the fuzzer begins with."""
    folder = FOUND / "corpus" / name
    folder.mkdir(parents=True, exist_ok=True)
    for raw in TARGETS[name].seeds():
        (folder / sha256(raw).hexdigest()).write_bytes(raw)
    return folder


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz one reader in a process of its own, say what came of it, and return whether nothing was found."""
    options = [f"-max_total_time={seconds}", f"-timeout={LONGEST_S}", f"-artifact_prefix={FOUND}/{name}-"]
    command = [sys.executable, "-m", "tests.fuzz.one", name, *options, str(seeds(name))]
    log = FOUND / f"{name}.log"
    with log.open("w") as said:
        done = subprocess.run(command, cwd=BASE, stderr=subprocess.STDOUT, stdout=said, check=False)
    text = log.read_text(errors="replace")
    reached = {when: (int(runs), int(edges)) for runs, when, edges in COVERED.findall(text)}
    (_, first), (runs, last) = reached.get("INITED", (0, 0)), reached.get("DONE", (0, 0))
    outcome = f"FAILED, see {log}" if done.returncode else "nothing found"
    print(f"{name}: {runs:,} inputs, {last} branches ({first} by the seeds), {outcome}", flush=True)  # noqa: T201
    return done.returncode == 0


def main(arguments: list[str]) -> int:
    """Fuzz each reader, or those that are named; return the exit status."""
    seconds = int(arguments[0]) if arguments else 60
    failed = [name for name in arguments[1:] or TARGETS if not fuzz(name, seconds)]
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
