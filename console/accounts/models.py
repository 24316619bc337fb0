"""Who may sign in, and what for. The verbs live beside this file: `users`, `roles`, `passwords`, `sessions`."""

import uuid
from datetime import datetime
from functools import cached_property
from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower

from console.accounts.grants import ROLE_DESCRIPTIONS, ROLE_NAMES, RoleKey, granted
from console.lib import clock
from console.lib.actor import Actor, ActorKind
from console.lib.capability import Capability

# ASCII only: two names that look alike must not be two users of the log.
USERNAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._@+-]*"
username_validator = RegexValidator(
    rf"^{USERNAME_PATTERN}\Z",
    "Use letters, digits and the characters . _ @ + - only, and begin with a letter or a digit.",
)
NAME_TAKEN = "A user of this name exists already."


class UserManager(BaseUserManager["User"]):
    """Finds users by name, whatever the case."""

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the user of this name; raises User.DoesNotExist."""
        return self.get(username__iexact=username)

    def administrators(self) -> "models.QuerySet[User]":
        """Return the active users who hold the Administrator role."""
        return self.filter(is_active=True, memberships__role_id=RoleKey.ADMINISTRATOR)


class User(AbstractBaseUser):
    """A person. A user is deactivated, never deleted, so that a name in the log keeps one meaning."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    username = models.CharField(
        "user name",
        max_length=64,
        unique=True,  # as Django asks of this field; the constraint below says more
        validators=[username_validator],
        error_messages={"unique": NAME_TAKEN},
    )
    display_name = models.CharField("name", max_length=120, blank=True)
    email = models.EmailField("email", blank=True)
    is_active = models.BooleanField("active", default=True)
    must_change_password = models.BooleanField(default=False)
    # Set while the password is one that somebody else chose: it then opens until this time only.
    password_expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        """One name, one user, whatever the case."""

        ordering = ("username",)
        constraints = (
            models.UniqueConstraint(
                Lower("username"),
                name="accounts_user_name_unique",
                violation_error_message=NAME_TAKEN,
            ),
        )

    def __str__(self) -> str:
        return self.username

    @property
    def name(self) -> str:
        """What a page calls this user."""
        return self.display_name or self.username

    @property
    def actor(self) -> Actor:
        """How the activity log names who acts."""
        return Actor(ActorKind.USER, self.username, id=str(self.pk))

    @cached_property
    def capabilities(self) -> frozenset[Capability]:
        """What the roles of this user allow, read once for each request."""
        if not self.is_active:
            return frozenset()
        return granted(self.memberships.values_list("role_id", flat=True))

    def may(self, capability: Capability) -> bool:
        """Return whether this user may do that; a user who is not active may do nothing."""
        return capability in self.capabilities

    @property
    def is_administrator(self) -> bool:
        """Whether this user holds the Administrator role."""
        return self.may(Capability.MANAGE_USERS)

    def is_password_expired(self, now: datetime) -> bool:
        """Return whether a password that somebody else chose was not used in time."""
        return self.password_expires_at is not None and self.password_expires_at <= now


class Role(models.Model):
    """A reserved role. Triggers refuse its deletion and any change (migration 0002)."""

    key = models.CharField(primary_key=True, max_length=32)
    name = models.CharField(max_length=64, unique=True)

    class Meta:
        """Rows are those of RoleKey, with the names given there."""

        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                name="accounts_role_is_reserved",
                condition=models.Q(
                    *(models.Q(key=key.value, name=name) for key, name in ROLE_NAMES.items()), _connector="OR"
                ),
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def description(self) -> str:
        """What the role allows, in one sentence."""
        return ROLE_DESCRIPTIONS[RoleKey(self.key)]


class Membership(models.Model):
    """A user holds a role. Who granted it is text: it outlives that user's name change."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.ForeignKey(Role, models.PROTECT, related_name="memberships")
    granted_by = models.CharField(max_length=120)
    granted_at = models.DateTimeField(default=clock.now)

    class Meta:
        """A role is held once."""

        ordering = ("role__name",)
        constraints = (models.UniqueConstraint(fields=("user", "role"), name="accounts_membership_once"),)

    def __str__(self) -> str:
        return f"{self.user_id} {self.role_id}"
