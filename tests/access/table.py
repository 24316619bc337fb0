"""Who may reach which URL: the one place to look it up, and to change it on purpose.

A new URL needs a row here; its view needs the same words in `@access`, or in `console.allauth_access`.
"""

from dataclasses import dataclass
from enum import StrEnum

from console.accounts.grants import EVERYBODY, GRANTS, SIGNED_IN, RoleKey
from console.lib.capability import Capability


class Role(StrEnum):
    """Who asks."""

    ANONYMOUS = "anonymous"
    NONE = "no role"
    AUDITOR = "Auditor"
    QUESTION_USER = "Question user"
    ADMINISTRATOR = "Administrator"


GRANTED = {
    Role.ANONYMOUS: EVERYBODY,
    Role.NONE: SIGNED_IN,
    Role.AUDITOR: GRANTS[RoleKey.AUDITOR],
    Role.QUESTION_USER: GRANTS[RoleKey.QUESTION_USER],
    Role.ADMINISTRATOR: GRANTS[RoleKey.ADMINISTRATOR],
}


@dataclass(frozen=True)
class Row:
    """What a URL needs; `recent` is a sign-in within ten minutes."""

    capability: Capability
    recent: bool = False


NAMES: dict[tuple[Capability, bool], str] = {
    (Capability.PUBLIC, False): """
        account_inactive
        account_login
        account_logout
        console:health-live
        console:health-ready
        console:theme
        mfa_authenticate
    """,
    (Capability.SIGNED_IN, False): """
        account_reauthenticate
        accounts:end-own-session
        accounts:profile
        accounts:security
        console:help
        console:help-page
        console:home
        hsm:connection
        hsm:connection-move
        hsm:connection-new
        hsm:connection-test
        hsm:draft-test
        hsm:group
        hsm:group-edit
        hsm:group-hsm
        hsm:group-scan
        hsm:group-states
        hsm:group-test
        hsm:group-trust
        hsm:groups
        hsm:members
        hsm:object
        hsm:object-activate
        hsm:object-attributes
        hsm:object-deactivate
        hsm:object-import
        hsm:object-new
        hsm:object-permissions
        hsm:object-public-key
        hsm:object-rotate
        hsm:object-tags
        hsm:object-use
        hsm:object-use-result
        hsm:objects
        hsm:objects-download
        hsm:objects-export
        hsm:sync
        hsm:sync-card
        hsm:sync-interval
        hsm:sync-report
        hsm:tombstone-import
        hsm:tombstones
        jobs:card
        jobs:detail
        mfa_index
        mfa_list_webauthn
        mfa_reauthenticate
        mfa_reauthenticate_webauthn
        usersessions_list
    """,
    (Capability.SIGNED_IN, True): """
        account_change_password
        hsm:connection-delete
        hsm:group-delete
        hsm:group-policy
        hsm:member-add
        hsm:member-remove
        hsm:member-role
        hsm:object-delete
        hsm:object-remove-private
        mfa_activate_totp
        mfa_add_webauthn
        mfa_deactivate_totp
        mfa_edit_webauthn
        mfa_generate_recovery_codes
        mfa_remove_webauthn
        mfa_view_recovery_codes
    """,
    (Capability.SEE_QUESTIONS, False): """
        trust:question
        trust:question-results
        trust:questions
    """,
    (Capability.ASK_QUESTIONS, False): """
        trust:ask
    """,
    (Capability.MANAGE_CLIENTS, False): """
        trust:init-file
        trust:init-file-fetch
        trust:init-file-state
        trust:legacy-key
    """,
    (Capability.MANAGE_CLIENTS, True): """
        trust:client-allow
        trust:client-reset
        trust:client-revoke
        trust:client-withdraw
        trust:credential-withdraw
        trust:init-file-download
        trust:readmission-begin
        trust:readmission-withdraw
    """,
    (Capability.READ, False): """
        accounts:roles
        accounts:user
        accounts:users
        activity:download
        activity:entry
        activity:export
        activity:list
        activity:verify
        console:support
        console:support-download
        hsm:binding
        hsm:checked
        hsm:report
        jobs:housekeeping
        jobs:list
        jobs:rows
        keys:activity
        keys:backup
        keys:backups
        keys:certificate
        keys:crl
        keys:cross-certificate
        keys:current-server
        keys:directive
        keys:integration
        keys:integration-leave
        keys:integration-step
        keys:integration-troubleshooting
        keys:propagation
        keys:public-key
        keys:root
        keys:subordinate
        keys:troubleshooting
        keys:workflow
        pkilog:download
        pkilog:view
        settings_store:edit
        settings_store:list
        trust:client
        trust:clients
        trust:clients-download
        trust:clients-export
        trust:credential
        trust:credentials
        trust:dependants
        trust:infrastructure
    """,
    (Capability.MANAGE_KEYS, False): """
        keys:cancel-revocation
        keys:create
        keys:integration-verify
        keys:rotate
    """,
    (Capability.MANAGE_KEYS, True): """
        keys:revoke
        keys:schedule
    """,
    (Capability.MANAGE_HSM, False): """
        hsm:check
        hsm:group-new
        hsm:rebind
        hsm:tokens
        keys:integration-disable
        keys:integration-save
    """,
    (Capability.MANAGE_SETTINGS, False): """
        settings_store:add
        settings_store:reset
        settings_store:save
    """,
    (Capability.MANAGE_SETTINGS, True): """
        settings_store:delete
    """,
    (Capability.MANAGE_USERS, True): """
        accounts:create
        accounts:deactivate
        accounts:edit
        accounts:end-session
        accounts:grant
        accounts:reactivate
        accounts:remove-factors
        accounts:reset-password
        accounts:withdraw
    """,
    (Capability.MANAGE_JOBS, False): """
        jobs:cancel
        jobs:retry
    """,
    (Capability.MANAGE_JOBS, True): """
        jobs:reschedule
        jobs:run-now
    """,
    (Capability.BACK_UP, True): """
        keys:back-up
    """,
}

TABLE = {name: Row(*needs) for needs, names in NAMES.items() for name in names.split()}

# Readers may use these, and what they do is kept: copies of the log or of Client Status, its check, the support bundle.
LEAVES_A_TRACE: frozenset[str] = frozenset(
    {"activity:export", "activity:download", "activity:verify", "console:support", "trust:clients-export"}
)
