"""Lines of the PKI log about keys: beside the activity log, for whoever looks into a key or TLS problem (AMB-04)."""

from django.db import transaction

from console import pkilog
from console.activity.models import Outcome
from keys.models.keypair import KeyPair

LEVELS = {
    Outcome.SUCCEEDED: pkilog.Level.INFO,
    Outcome.UNKNOWN: pkilog.Level.WARNING,
    Outcome.FAILED: pkilog.Level.ERROR,
}


def after_commit(event: str, key: KeyPair, outcome: Outcome = Outcome.SUCCEEDED, detail: str = "") -> None:
    """Write a line once the transaction of the caller has committed; never fails it."""
    subject = f"{key.name} ({key.fingerprint[:16]})" if key.fingerprint else key.name
    result = f"{outcome}: {detail}" if detail else str(outcome)
    level = LEVELS.get(outcome, pkilog.Level.INFO)
    transaction.on_commit(lambda: pkilog.write(event, component="keys", subject=subject, result=result, level=level))
