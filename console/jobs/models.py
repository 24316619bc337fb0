"""The row of a job: the one truth about work in the background. The broker carries only its id."""

import uuid
from typing import Any

from django.db import models
from django.db.models import Q, TextChoices

from console.jobs import kinds
from console.lib.actor import Actor, ActorKind
from console.lib.subject import Subject
from console.servers.models import Server


class State(TextChoices):
    """Changed only by `console.jobs.queue`, `running` and `sweeping`, each through a conditional UPDATE."""

    SCHEDULED = "scheduled", "Scheduled"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    UNKNOWN = "unknown", "Unknown"


WAITING = (State.SCHEDULED, State.QUEUED)
OPEN = (State.SCHEDULED, State.QUEUED, State.RUNNING, State.UNKNOWN)
FINISHED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


class Job(models.Model):
    """One piece of work. `params` and `result` are JSON without secrets; `message` is safe to show.

    `planned` marks a job that somebody set for a later time: it then runs as the system, on that user's plan.
    A housekeeping row has `every_s` > 0 and goes back to scheduled when it ends.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind_name = models.CharField(max_length=60)
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="jobs")
    subject_kind = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=64)
    subject_label = models.CharField(max_length=255)
    actor_kind = models.CharField(max_length=10)
    actor_name = models.CharField(max_length=150)
    actor_id = models.CharField(max_length=64, blank=True)
    params = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices)
    planned = models.BooleanField(default=False)
    every_s = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    message = models.TextField(blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    next_step = models.TextField(blank=True)
    result = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["server", "state", "due_at"]),
            models.Index(fields=["-created_at", "-id"]),
            models.Index(fields=["kind_name", "-created_at"]),
            models.Index(fields=["subject_kind", "subject_id"]),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["server", "kind_name"], condition=Q(every_s__gt=0), name="one_housekeeping_row"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind_name} {self.subject_label}"

    @property
    def kind(self) -> kinds.JobKind:
        """The declaration of this kind of work; raises UnknownKindError."""
        return kinds.get(self.kind_name)

    @property
    def label(self) -> str:
        """What the work is called; a kind that this version does not have keeps its name."""
        kind = kinds.find(self.kind_name)
        return kind.label if kind else self.kind_name

    @property
    def subject(self) -> Subject:
        """What the work is done to."""
        return Subject(self.subject_kind, self.subject_id, self.subject_label)

    @property
    def as_subject(self) -> Subject:
        """The job itself as the subject of an entry."""
        return Subject("job", str(self.id), f"{self.label}: {self.subject_label}"[:255])

    @property
    def asked_by(self) -> Actor:
        """Who asked for it."""
        return Actor(ActorKind(self.actor_kind), self.actor_name, self.actor_id)

    @property
    def actor(self) -> Actor:
        """Who does it: the system for a planned job (LOG-04), else who asked."""
        if self.planned:
            return Actor.system(planned_by=self.actor_name)
        return self.asked_by

    @property
    def is_open(self) -> bool:
        """Whether it may still do something."""
        return self.state in OPEN

    @property
    def is_waiting(self) -> bool:
        """Whether it has not begun."""
        return self.state in WAITING

    def param(self, name: str) -> Any:
        """Return one parameter."""
        return self.params[name]
