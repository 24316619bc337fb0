"""The fields of a connection, of a group's certificates, and what of them goes into the domain."""

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.core.files.uploadedfile import UploadedFile

from console.lib.errors import InvalidError
from console.lib.secret import Secret
from hsm.connections import entering
from hsm.connections.entering import Entered
from hsm.groups import certificates
from hsm.groups.trusting import TrustEntry
from hsm.models.drafts import ConnectionDraft
from hsm.models.groups import GATEWAY_PORT, Connection, ConnectionKind, Group, Trust

T = TypeVar("T")
PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
MONO = {**PLAIN, "class": "mono"}
RAN_OUT = "What you entered before was kept for 15 minutes. Enter the PIN, and the files, again."
SLOT_HELP = (
    "Decimal, or hexadecimal after 0x. On the gateway's host, list the slots with "
    "<code>pkcs11-tool -L --module /opt/nfast/toolkits/pkcs11/libcknfast.so</code> (the path is that of nCipher)."
)
PIN_HELP = (
    "The PIN of the slot. Set it with <code>pkcs11-tool --login --login-type so --init-pin</code>, update it with "
    "<code>pkcs11-tool --login --change-pin</code>; you must be a security officer (SO) for both. "
    '<a href="/help/pin/">PIN and security officer</a>'
)
MODULE_IS_NOT_YOURS = (
    "Only an Administrator of the console chooses which library this server loads. Reach the HSM through a gateway, or "
    "ask an Administrator."
)
PIN_STAYS_HERE = (
    "The stored PIN is not sent to another address. Enter the PIN, or have an Administrator of the console change the "
    "address."
)


def wanted(read: Callable[[str], T], text: str) -> T:
    """Return what the domain makes of a text; its refusal becomes the field's."""
    try:
        return read(text)
    except InvalidError as error:
        raise forms.ValidationError(error.message, code=error.code) from error


class DraftField(forms.Form):
    """Carries the id of a form that was tested, whose secrets the server keeps for 15 minutes."""

    draft = forms.CharField(required=False, max_length=36, widget=forms.HiddenInput)


class ConnectionFields(forms.Form):
    """One way to a slot: everything may be missing or wrong (GRP-21), but what is there must make sense."""

    only_module: str | None = None
    # Where the stored PIN may be sent without being entered again: kind, address and port; None for anywhere.
    pin_goes_to: tuple[str, str, int] | None = None

    kind = forms.ChoiceField(
        label="Reached through",
        choices=[
            (ConnectionKind.GATEWAY, "an HSM gateway"),
            (ConnectionKind.MODULE, "a PKCS#11 module on this server"),
        ],
        initial=ConnectionKind.GATEWAY,
        widget=forms.RadioSelect,
    )
    address = forms.CharField(
        label="HMG IP-address",
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs=MONO),
        help_text="IP address or host name of the server that runs the HSM gateway.",
    )
    port = forms.CharField(
        label="Port",
        required=False,
        max_length=10,
        initial=GATEWAY_PORT,
        widget=forms.TextInput(attrs={**MONO, "class": "mono short", "inputmode": "numeric"}),
    )
    module_path = forms.CharField(
        label="Module path",
        required=False,
        max_length=1024,
        widget=forms.TextInput(attrs=MONO),
        help_text="Absolute path of the vendor's library on this server.",
    )
    slot = forms.CharField(
        label="Slot",
        required=False,
        max_length=30,
        widget=forms.TextInput(attrs={**MONO, "class": "mono short"}),
        help_text=SLOT_HELP,
    )
    pin = forms.CharField(
        label="PIN",
        required=False,
        max_length=255,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "mono short"}),
        help_text=PIN_HELP,
    )

    def clean_address(self) -> str:
        """Accept an IP address or a host name."""
        return wanted(entering.address, self.cleaned_data["address"])

    def clean_port(self) -> int:
        """Accept 1 to 65535."""
        return wanted(entering.port, self.cleaned_data["port"])

    def clean_slot(self) -> str:
        """Accept a number."""
        return wanted(entering.slot, self.cleaned_data["slot"])

    def clean_module_path(self) -> str:
        """Accept an absolute path, of a user who may choose one."""
        path = wanted(entering.module_path, self.cleaned_data["module_path"])
        loads = self.cleaned_data.get("kind") == ConnectionKind.MODULE
        if loads and self.only_module not in (None, path):
            raise forms.ValidationError(MODULE_IS_NOT_YOURS)
        return path

    def clean(self) -> dict[str, Any]:
        """See that a stored PIN stays with its address."""
        data = super().clean() or self.cleaned_data
        if self.pin_goes_to is not None and not self.errors and not data["pin"]:
            there = self.entered()
            if (there.kind, there.address, there.port) != self.pin_goes_to:
                self.add_error("pin", PIN_STAYS_HERE)
        return data

    def entered(self) -> Entered:
        """Return the connection as it was typed; of the two ways only the chosen one."""
        data = self.cleaned_data
        pin = Secret(data["pin"]) if data["pin"] else None
        if data["kind"] == ConnectionKind.MODULE:
            return Entered(ConnectionKind.MODULE, module_path=data["module_path"], slot=data["slot"], pin=pin)
        return Entered(ConnectionKind.GATEWAY, data["address"], data["port"], slot=data["slot"], pin=pin)

    def shown(self) -> dict[str, str]:
        """Return what was typed, without secrets, to fill the form again."""
        data = self.cleaned_data
        hidden = ("pin", "draft", "client_key", "ca_file", "client_cert_file", "client_key_file")
        return {name: str(data.get(name) or "") for name in self.fields if name not in hidden}

    def keeps(self, *, pin: bool, text: str = "Leave empty to keep it") -> None:
        """Say in the PIN's field that there is one."""
        if pin:
            self.fields["pin"].widget.attrs["placeholder"] = text

    def keeps_module(self, path: str) -> None:
        """Take no other module than this one: a library runs as the worker (THREAT_MODEL.md)."""
        self.only_module = path
        self.fields["module_path"].help_text = MODULE_IS_NOT_YOURS

    def keeps_pin_with(self, connection: Connection) -> None:
        """Send the stored PIN nowhere else: whoever answers there would learn it (THREAT_MODEL.md)."""
        self.pin_goes_to = connection.kind, connection.address, connection.port


class TrustFields(forms.Form):
    """What the gateway's certificate is checked against, and what the console shows to the gateway."""

    trust = forms.ChoiceField(
        label="Certificate of the gateway is signed by",
        choices=Trust.choices,
        initial=Trust.GLOBAL,
        widget=forms.RadioSelect,
    )
    ca_file = forms.FileField(label="Upload the CA certificate", required=False, help_text="PEM, at most 64 KiB.")
    ca_text = forms.CharField(
        label="Or paste its contents",
        required=False,
        widget=forms.Textarea(attrs={**MONO, "rows": 4, "placeholder": "-----BEGIN CERTIFICATE-----"}),
    )
    client_cert_file = forms.FileField(label="Upload the client certificate", required=False)
    client_cert_text = forms.CharField(
        label="Or paste the client certificate",
        required=False,
        widget=forms.Textarea(attrs={**MONO, "rows": 3, "placeholder": "-----BEGIN CERTIFICATE-----"}),
    )
    client_key_file = forms.FileField(
        label="Upload its private key",
        required=False,
        help_text="PEM without a passphrase. It is sealed at once, and never shown again.",
    )
    client_key = forms.CharField(
        label="Or paste the private key",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={**MONO, "rows": 3, "placeholder": "-----BEGIN PRIVATE KEY-----"}),
    )
    validate_host = forms.BooleanField(
        label="Validate Host",
        required=False,
        initial=True,
        help_text="Check that the certificate has the host name of the server as its subjectAltName or Common Name.",
    )
    # A pair that the server holds already: stored with the group, or kept from a test.
    holds_key = False
    # The request was too large: its files were not read (`hsm.views.scope.dropped_files`).
    files_dropped = False
    holds_cert = ""

    def clean(self) -> dict[str, Any]:
        """Read the files, and see that what belongs together is there."""
        data = super().clean() or self.cleaned_data
        if self.files_dropped:
            self.add_error("ca_file", "The files are larger than 64 KiB together. They were not read, nor kept.")
        data["client_key"] = self._text("client_key_file", "client_key")
        data["ca_text"] = self._certificate("ca_file", "ca_text")
        data["client_cert_text"] = self._certificate("client_cert_file", "client_cert_text")
        if data.get("trust") == Trust.CUSTOM:
            self._judge(data)
        return data

    def _judge(self, data: dict[str, Any]) -> None:
        if not data["ca_text"] and not self.errors.keys() & {"ca_file", "ca_text"}:
            self.add_error("ca_text", "Upload or paste the certificate of your CA, or choose Global Root CA.")
        cert, key = data["client_cert_text"], data["client_key"]
        if self.errors.keys() & {"client_cert_file", "client_cert_text", "client_key_file", "client_key"}:
            return
        if key and not cert:
            self.add_error("client_cert_text", "Enter the certificate that belongs to this private key.")
        elif cert and not key and not (self.holds_key and cert == self.holds_cert):
            self.add_error("client_key", "Enter the private key that belongs to the client certificate.")

    def _text(self, file_field: str, text_field: str) -> str:
        """Return a file's text, else the pasted one."""
        data = self.cleaned_data
        upload: UploadedFile[bytes] | None = data.get(file_field)
        if upload is None:
            return str(data.get(text_field) or "")
        if (upload.size or 0) > certificates.MOST_BYTES:
            self.add_error(file_field, "A certificate or key file has at most 64 KiB.")
            return ""
        try:
            return bytes(upload.read()).decode()
        except UnicodeDecodeError:
            self.add_error(file_field, certificates.NOT_PEM if "key" not in file_field else "This is no PEM file.")
            return ""

    def _certificate(self, file_field: str, text_field: str) -> str:
        text = self._text(file_field, text_field)
        if not text.strip():
            return ""
        field = file_field if self.cleaned_data.get(file_field) else text_field
        try:
            return certificates.parse(text, field)
        except InvalidError as error:
            self.add_error(field, error.message)
            return ""

    def trust_entry(self) -> TrustEntry:
        """Return the certificates as they were entered."""
        data = self.cleaned_data
        return TrustEntry(
            trust=data["trust"],
            ca_pem=data["ca_text"],
            client_cert_pem=data["client_cert_text"],
            client_key=Secret(data["client_key"]) if data["client_key"] else None,
            validate_host=data["validate_host"],
            drop_client=not data["client_cert_text"],
        )


class ConnectionForm(ConnectionFields, DraftField):
    """Add or edit a connection; the group's certificates count."""

    seen = forms.CharField(required=False, max_length=16, widget=forms.HiddenInput)


class TrustForm(TrustFields):
    """Edit the certificates of a group."""

    seen = forms.CharField(max_length=16, widget=forms.HiddenInput)


def fields_of(connection: Connection) -> dict[str, Any]:
    """Return a stored connection as its form shows it."""
    return {**{name: getattr(connection, name) for name in entering.PLACE}}


def trust_of(group: Group) -> dict[str, Any]:
    """Return the stored certificates of a group as their form shows them."""
    return {
        "trust": group.trust,
        "ca_text": group.ca_pem,
        "client_cert_text": group.client_cert_pem,
        "validate_host": group.validate_host,
    }


def shown_of(draft: ConnectionDraft) -> dict[str, Any]:
    """Return what was typed into a tested form, as the form shows it again."""
    shown = {**draft.fields["shown"], "draft": str(draft.pk)}
    if "validate_host" in shown:
        shown["validate_host"] = shown["validate_host"] == "True"
    return shown
