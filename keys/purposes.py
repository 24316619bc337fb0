"""What a key is for: ten purposes, and everything that follows from a purpose, as one table."""

from dataclasses import dataclass
from enum import StrEnum

from hsm.device.base import KeySpec
from keys import profiles
from keys.profiles import Profile


class Purpose(StrEnum):
    """The kinds of key of the platform (KEY-31, KEY-46 to KEY-50)."""

    ROOT = "root"
    LEGACY_ROOT = "legacy-root"
    SERVER_TLS = "server-tls"
    LEGACY_SERVER_TLS = "legacy-server-tls"
    MESSAGE_SIGNING = "message-signing"
    CLIENT_TLS_CA = "client-tls-ca"
    HUB_TLS = "hub-tls"
    ZONE_SERVER_TLS = "zone-server-tls"
    ZONE_SERVER_CA = "zone-server-ca"
    CLIENT_TLS = "client-tls"


class StoreRule(StrEnum):
    """Where the private key is made and stays."""

    BY_SETTINGS = "by the settings Keys.<key>.*"  # HSI-02: only Root and MessageSigning may live on a token
    LOCAL = "in pki.db of this server"
    ELSEWHERE = "with the component that asks for the signature"  # KEY-44: private keys never travel


@dataclass(frozen=True)
class PurposeFacts:
    """`name_pattern` has the fields `fqdn` and `number`; `issuer` is None for what signs itself.

    `holder_pattern` is the host name that an own key stands for, and that its certificate carries.

    `settings_key` is the word between the dots of `Keys.<key>.UseHSM`; `secures` names the connections (MIS-01).
    """

    label: str
    spec: KeySpec
    profile: Profile
    store: StoreRule
    name_pattern: str
    secures: str
    issuer: Purpose | None = None
    duration_setting: str | None = None
    window_setting: str | None = None
    settings_key: str | None = None
    holder_pattern: str = "{fqdn}"

    def holder(self, fqdn: str) -> str:
        """Return who holds a server's own key of this purpose."""
        return self.holder_pattern.format(fqdn=fqdn)

    def name(self, fqdn: str, number: int | None = None) -> str:
        """Return the name of a key of this purpose; `number` counts the roots of a server (KEY-04)."""
        return self.name_pattern.format(fqdn=fqdn, number=number)


PURPOSES: dict[Purpose, PurposeFacts] = {
    Purpose.ROOT: PurposeFacts(
        label="Root key",
        spec=KeySpec.EC_P384,
        profile=profiles.ROOT,
        store=StoreRule.BY_SETTINGS,
        settings_key="Root",
        name_pattern="{fqdn} Root {number}",
        secures="all connections of the platform, through the keys below it",
    ),
    Purpose.LEGACY_ROOT: PurposeFacts(
        label="Root key for Client 7.2",
        spec=KeySpec.RSA_3072,
        profile=profiles.LEGACY_ROOT,
        store=StoreRule.LOCAL,  # HSI-06: the HSM does not store the legacy-root key
        name_pattern="legacy-root",
        secures="messages to Client 7.2, and its connections to servers and Zone Servers",
    ),
    Purpose.SERVER_TLS: PurposeFacts(
        label="Server TLS key",
        spec=KeySpec.EC_P256,
        profile=profiles.SERVER_TLS,
        store=StoreRule.LOCAL,
        issuer=Purpose.ROOT,
        duration_setting="pki_server_tls_key_duration_days",
        window_setting="pki_server_tls_key_renewal_window_hours",
        name_pattern="{fqdn}",
        secures="server to server, server to hub, internal clients to this server",
    ),
    Purpose.LEGACY_SERVER_TLS: PurposeFacts(
        label="Server TLS key for Client 7.2",
        spec=KeySpec.RSA_3072,
        profile=profiles.SERVER_TLS,
        store=StoreRule.LOCAL,
        issuer=Purpose.LEGACY_ROOT,
        duration_setting="pki_server_tls_key_duration_days",
        window_setting="pki_server_tls_key_renewal_window_hours",
        name_pattern="legacy.{fqdn}",
        holder_pattern="legacy.{fqdn}",
        secures="Client 7.2 to this server: it knows legacy-root only",
    ),
    Purpose.MESSAGE_SIGNING: PurposeFacts(
        label="Message-signing key",
        spec=KeySpec.EC_P256,
        profile=profiles.MESSAGE_SIGNING,
        store=StoreRule.BY_SETTINGS,
        settings_key="MessageSigning",
        issuer=Purpose.ROOT,
        duration_setting="pki_message_signing_key_duration_days",
        window_setting="pki_message_signing_key_renewal_window_hours",
        name_pattern="{fqdn} Message Signing",
        secures="messages to clients, such as action packages: they are signed, not encrypted",
    ),
    Purpose.CLIENT_TLS_CA: PurposeFacts(
        label="Intermediate key for client TLS",
        spec=KeySpec.EC_P256,
        profile=profiles.INTERMEDIATE,
        store=StoreRule.LOCAL,
        issuer=Purpose.ROOT,
        duration_setting="pki_client_tls_ca_key_duration_days",
        window_setting="pki_client_tls_ca_key_renewal_window_hours",
        name_pattern="{fqdn} Client TLS CA",
        secures="internal clients to this server, client to client: it signs the keys of these clients",
    ),
    Purpose.HUB_TLS: PurposeFacts(
        label="Hub TLS key",
        spec=KeySpec.EC_P256,
        profile=profiles.COMPONENT_TLS,
        store=StoreRule.ELSEWHERE,
        issuer=Purpose.ROOT,
        duration_setting="pki_hub_tls_key_duration_days",
        window_setting="pki_hub_tls_key_renewal_window_hours",
        name_pattern="{fqdn}",
        secures="servers to hub, hub to Zone Server",
    ),
    Purpose.ZONE_SERVER_TLS: PurposeFacts(
        label="Zone Server TLS key",
        spec=KeySpec.EC_P256,
        profile=profiles.COMPONENT_TLS,
        store=StoreRule.ELSEWHERE,
        issuer=Purpose.ROOT,
        duration_setting="pki_zoneserver_tls_key_duration_days",
        window_setting="pki_zoneserver_tls_key_renewal_window_hours",
        name_pattern="{fqdn}",
        secures="hub to Zone Server, external clients to Zone Server",
    ),
    Purpose.ZONE_SERVER_CA: PurposeFacts(
        label="Intermediate key of a Zone Server",
        spec=KeySpec.EC_P256,
        profile=profiles.INTERMEDIATE,
        store=StoreRule.ELSEWHERE,
        issuer=Purpose.ROOT,
        # ROT-17: one pair of settings for the intermediate key of a server and of a Zone Server.
        duration_setting="pki_client_tls_ca_key_duration_days",
        window_setting="pki_client_tls_ca_key_renewal_window_hours",
        name_pattern="{fqdn} Zone Server CA",
        secures="external clients to Zone Server, client to client: it signs the keys of these clients",
    ),
    Purpose.CLIENT_TLS: PurposeFacts(
        label="Client TLS key",
        spec=KeySpec.EC_P256,
        profile=profiles.CLIENT_TLS,
        store=StoreRule.ELSEWHERE,
        issuer=Purpose.CLIENT_TLS_CA,
        duration_setting="pki_client_tls_key_duration_days",
        window_setting="PKIClientTLSKeyRenewalWindowHours",  # ROT-20: spelt so on purpose
        name_pattern="{fqdn}",
        secures="client to server or Zone Server, client to client",
    ),
}

OWN_SUBORDINATES = (Purpose.SERVER_TLS, Purpose.MESSAGE_SIGNING, Purpose.CLIENT_TLS_CA)
"""What a server makes for itself below each new root (HSI-22)."""

ROTATED = (*OWN_SUBORDINATES, Purpose.LEGACY_SERVER_TLS)
"""What a server renews for itself; the last one stands below legacy-root, and only while protocol 314 is enabled."""
