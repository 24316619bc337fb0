"""Who may look at a job. Readers see every job; others see what they asked for, and what an app lets them see.

seeing.register("group", sees_group)     # sees_group(user, subject_id) -> bool
"""

from collections.abc import Callable

from console.accounts.models import User
from console.jobs.models import Job
from console.lib.capability import Capability

Rule = Callable[[User, str], bool]
_rules: dict[str, Rule] = {}


def register(subject_kind: str, rule: Rule) -> None:
    """Say who may see the jobs about a kind of subject without the right to read everything."""
    _rules[subject_kind] = rule


def may_see(user: User, job: Job) -> bool:
    """Return whether the user may look at the job: what it is about, how far it is and how it ended."""
    if user.may(Capability.READ) or (job.actor_id and job.actor_id == str(user.pk)):
        return True
    rule = _rules.get(job.subject_kind)
    return bool(rule and job.subject_id and rule(user, job.subject_id))
