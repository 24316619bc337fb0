"""What to say after a save: shown on the grid beside the setting that was saved."""

from dataclasses import dataclass

from console.jobs.models import Job
from settings_store import guards, snapshot
from settings_store.catalogue import ENTRIES, Group
from settings_store.contradictions import Finding
from settings_store.models import Setting, key

CLIENTS_LATER = (
    "Clients receive the new value when they register the next time, within two to six hours. Each client chooses "
    "its own moment."
)


@dataclass(frozen=True)
class Aftermath:
    """`offers_check`: the setting belongs to the HSM integration. `job` is the one that the change started."""

    key: str
    name: str
    notes: list[str]
    findings: list[Finding]
    offers_check: bool
    job: Job | None


def after_saving(setting: Setting) -> Aftermath:
    """Return what follows from the present value of a setting."""
    entry = ENTRIES.get(setting.name)
    notes = [f"Nothing reads {setting.name}: the console keeps it, and marks it as unknown."] if not entry else []
    if entry:
        # What holds at any value was on the form already, except for a password that must not be lost.
        notes += [
            caution.text
            for caution in entry.cautions
            if str(caution.value) == setting.value or entry.group is Group.KEY_STORE
        ]
        notes += [CLIENTS_LATER] if entry.group is Group.TLS else []
    notes += guards.notices(setting.name)
    setting_key = key(setting.scope, setting.name)
    job = Job.objects.filter(subject_kind="setting", subject_id=setting_key, created_at__gte=setting.changed_at).first()
    return Aftermath(
        key=setting_key,
        name=setting.name,
        notes=notes,
        findings=[one for one in snapshot.findings() if setting.name in one.names],
        offers_check=bool(entry and entry.group is Group.HSM),
        job=job,
    )
