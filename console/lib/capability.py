"""What a view asks for and a role grants."""

from enum import StrEnum


class Capability(StrEnum):
    """PUBLIC needs no sign-in, SIGNED_IN no role; READ sees all but secrets and changes nothing."""

    PUBLIC = "public"
    SIGNED_IN = "signed in"
    READ = "read"
    MANAGE_KEYS = "manage keys"
    MANAGE_HSM = "manage the HSM integration"
    MANAGE_SETTINGS = "manage settings"
    MANAGE_USERS = "manage users and roles"
    MANAGE_JOBS = "manage background jobs"
    MANAGE_CLIENTS = "manage clients and how they enrol"
    ASK_QUESTIONS = "ask clients questions"
    SEE_QUESTIONS = "see questions to clients"
    BACK_UP = "back up"
