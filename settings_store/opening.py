"""Opens Protected settings: the half for the worker. Import contracts keep it from the web process."""

from console.lib.opening import worker_pair
from console.lib.secret import Secret
from settings_store.sealing import PURPOSE
from settings_store.values import SealedValue


def reveal(value: SealedValue) -> Secret:
    """Return what was entered; raises UnavailableError when this server's sealing key does not open it."""
    return worker_pair().open(value.sealed, purpose=PURPOSE, row_id=str(value.setting_id))
