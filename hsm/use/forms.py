"""What is asked on the page Use key. What was typed is sealed in the request and kept nowhere else."""

from typing import Any, cast

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest

from console.lib.errors import InvalidError
from hsm.device.base import KeySpec
from hsm.device.objects import Operation
from hsm.models.objects import SecurityObject
from hsm.use.asking import Wanted
from hsm.use.encodings import BINARY, Encoding, decode
from hsm.use.schemes import bounds, schemes

MOST_UPLOAD_BYTES = 64 * 1024  # what stays in memory (FILE_UPLOAD_MAX_MEMORY_SIZE)
TOO_LARGE = "The file is too large: this page takes a few kilobytes. Nothing was done."
DATA_LABELS = {
    Operation.SIGN: "Data to sign",
    Operation.VERIFY: "Data that were signed",
    Operation.ENCRYPT: "Data to encrypt",
    Operation.DECRYPT: "Data to decrypt",
}


def _area(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "class": "mono", "spellcheck": "false", "autocomplete": "off"})


class UseForm(forms.Form):
    """One operation with one key: scheme, data, and for a verification the signature."""

    scheme = forms.ChoiceField(label="Scheme")
    content = forms.CharField(strip=False, required=False, widget=_area(6))
    content_written = forms.ChoiceField(label="Written as", choices=Encoding.choices)
    content_file = forms.FileField(label="Or a file, taken as it is", required=False)
    signature = forms.CharField(label="Signature", required=False, widget=_area(3))
    signature_written = forms.ChoiceField(
        label="Written as", choices=[(encoding.value, encoding.label) for encoding in BINARY]
    )
    signature_file = forms.FileField(label="Or a file, taken as it is", required=False)

    def __init__(self, key: SecurityObject, operation: Operation, request: HttpRequest) -> None:
        posted = request.method == "POST"
        super().__init__(request.POST if posted else None, request.FILES if posted else None)
        self.operation = operation
        self.too_large = posted and int(request.META.get("CONTENT_LENGTH") or 0) > MOST_UPLOAD_BYTES
        offered = schemes(KeySpec(key.spec), operation)
        limits = {scheme.value: bounds(KeySpec(key.spec), operation, scheme) for scheme in offered}
        choice = cast("forms.ChoiceField", self.fields["scheme"])
        choice.choices = [(scheme.value, scheme.label) for scheme in offered]
        self.fields["content"].label = DATA_LABELS[operation]
        most = max(limit.most for limit in limits.values())
        exact = {limit.least for limit in limits.values()} == {most}
        self.fields["content"].help_text = f"{'Exactly' if exact else 'At most'} {most:,} bytes."
        if operation is Operation.DECRYPT:
            written = cast("forms.ChoiceField", self.fields["content_written"])
            written.choices = [(encoding.value, encoding.label) for encoding in BINARY]
        if operation is not Operation.VERIFY:
            for name in ("signature", "signature_written", "signature_file"):
                del self.fields[name]
        for name in filter(self.fields.__contains__, ("content", "signature")):
            self.fields[name].required = not self.too_large and f"{name}_file" not in request.FILES
            self.fields[name].error_messages["required"] = "Enter it, or choose a file."

    def clean(self) -> dict[str, Any]:
        """Read the bytes, from the text or from the file."""
        cleaned = super().clean() or {}
        if self.too_large:
            raise forms.ValidationError(TOO_LARGE)
        for name in filter(self.fields.__contains__, ("content", "signature")):
            if name in self.errors or f"{name}_file" in self.errors:
                continue
            try:
                cleaned[f"{name}_bytes"] = self._bytes(name, cleaned)
            except InvalidError as error:
                self.add_error(name, f"{error.message} {error.next_step}")
        return cleaned

    def _bytes(self, name: str, cleaned: dict[str, Any]) -> bytes:
        typed: str = cleaned.get(name, "")
        file: UploadedFile[bytes] | None = cleaned.get(f"{name}_file")
        if typed and file:
            raise InvalidError("There are both text and a file.", next_step="Give one of them.")
        if file:
            return bytes(file.read(MOST_UPLOAD_BYTES))
        # Text unless the form offers less: a bad choice of encoding has its own error beside its own field.
        return decode(typed, Encoding(cleaned.get(f"{name}_written") or Encoding.TEXT))

    @property
    def wanted(self) -> Wanted:
        """What the valid form asks for."""
        data = self.cleaned_data
        return Wanted(self.operation, data["scheme"], data["content_bytes"], data.get("signature_bytes", b""))
