"""Signatures by python-pkcs11 alone, in a process of its own: `python -m bench.bare LABEL PIN KEY_ID THREADS SECONDS`.

A module is never loaded into a process that may fork later. Threads take turns by one lock, as python-pkcs11 needs:
it initialises modules without locking of their own (docs/hsm.md §1).
"""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"


def times_ms(label: str, pin: str, key_id: bytes, environment: dict[str, str], *, seconds: float) -> list[float]:
    """Return how long each signature of one thread took, in milliseconds."""
    return _run(label, pin, key_id, environment, 1, seconds)


def a_second(
    label: str, pin: str, key_id: bytes, environment: dict[str, str], threads: int, *, seconds: float
) -> float:
    """Return the signatures a second of so many threads."""
    return len(_run(label, pin, key_id, environment, threads, seconds)) / seconds


def _run(label: str, pin: str, key_id: bytes, environment: dict[str, str], threads: int, seconds: float) -> list[float]:
    command = [sys.executable, "-m", "bench.bare", label, pin, key_id.hex(), str(threads), str(seconds)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, env=environment, cwd=root, check=True, capture_output=True, text=True)
    return [float(value) for value in json.loads(done.stdout)]


def main(label: str, pin: str, key_id: str, threads: str, seconds: str) -> None:
    """Sign until the time is over, and print every time."""
    import pkcs11

    session = pkcs11.lib(SOFTHSM).get_token(token_label=label).open(user_pin=pin)
    key = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, id=bytes.fromhex(key_id))
    lock, taken = threading.Lock(), []
    end = time.perf_counter() + float(seconds)

    def sign() -> None:
        while (began := time.perf_counter()) < end:
            with lock:
                key.sign(bytes(32), mechanism=pkcs11.Mechanism.ECDSA)
            taken.append((time.perf_counter() - began) * 1000)

    workers = [threading.Thread(target=sign) for _ in range(int(threads))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(json.dumps(taken))


if __name__ == "__main__":
    main(*sys.argv[1:])
