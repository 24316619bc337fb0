"""Create New Key, from the click to an active root that signed itself, against C_GenerateKeyPair alone.

Both on SoftHSM2 tokens of one folder, P-384; the module host is warm, and what follows a root has ended before the
next one is asked for.
"""

import os
import time
import uuid
from pathlib import Path

from bench import stage
from bench.figures import p50, p95, times_ms

ROUNDS = 15
LIMITS = {"more than C_GenerateKeyPair, p95 ms": 250}


def measure() -> dict[str, float]:
    """Return both times and their difference."""
    with stage.console() as folder:
        from console.supervisor import softhsm as local_softhsm
        from tests.fixtures.softhsm import SoftHsm

        (folder / "softhsm" / "tokens").mkdir(parents=True)
        module = local_softhsm.module()
        assert module, "Debian package softhsm2 is missing"
        softhsm = SoftHsm(folder / "softhsm", module)
        local_softhsm.configure(softhsm.conf, folder / "softhsm" / "tokens")
        os.environ["SOFTHSM2_CONF"] = str(softhsm.conf)
        token = softhsm.token("bench")
        bare = bare_generation(module, token.label, token.pin)
        created = creation(folder, module, token.label, token.pin)
    return {
        "C_GenerateKeyPair, p50 ms": p50(bare),
        "C_GenerateKeyPair, p95 ms": p95(bare),
        "Create New Key, p50 ms": p50(created),
        "Create New Key, p95 ms": p95(created),
        "more than C_GenerateKeyPair, p95 ms": p95(created) - p95(bare),
    }


def bare_generation(module: str, label: str, pin: str) -> list[float]:
    """Make key pairs on the token in this process, with nothing around the call."""
    import pkcs11
    from pkcs11.util.ec import encode_named_curve_parameters

    token = pkcs11.lib(module).get_token(token_label=label)
    with token.open(rw=True, user_pin=pin) as session:
        curve = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp384r1")}
        parameters = session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True)
        return times_ms(lambda: parameters.generate_keypair(store=True), ROUNDS * 4)


def creation(folder: Path, module: str, label: str, pin: str) -> list[float]:
    """Make roots through the worker, as the page does."""
    from console.jobs.models import OPEN, Job
    from console.lib.actor import Actor
    from keys import roots
    from keys.models.root import Root, RootState
    from settings_store import store
    from tests.fixtures.processes import wait_for

    def settled() -> bool:
        return not Job.objects.filter(state__in=OPEN, every_s=0).exists()

    def create() -> float:
        began = time.perf_counter()
        root, _ = roots.request(actor=Actor.system(), form_token=uuid.uuid4())
        wait_for(Root.objects.filter(pk=root.pk, state=RootState.ACTIVE).exists, what=root.name, every_s=0.001)
        took_ms = (time.perf_counter() - began) * 1000
        wait_for(settled, within_s=120, what="what follows a new root")
        return took_ms

    settings = {
        "HSMModulePath": module,
        "Keys.Root.UseHSM": "1",
        "Keys.Root.HSMPassword": pin,
        "Keys.Root.HSMTokenName": label,
    }
    with stage.workers(folder) as workers:
        workers.worker()
        workers.beat()  # what follows may be tried again
        store.save_local(settings, seen=store.seen_of(settings), actor=Actor.system())
        wait_for(settled, what="what the settings started")
        return [create() for _ in range(ROUNDS + 3)][3:]
