"""A value that must not be seen: redaction by type, not by hope."""

import hmac
from typing import Never

PROTECTED = "(protected)"


class Secret:
    """Holds a password, a PIN or key bytes. It prints, formats and serialises as `(protected)`."""

    __slots__ = ("_value",)

    def __init__(self, value: str | bytes) -> None:
        self._value = value.encode() if isinstance(value, str) else bytes(value)

    def reveal_bytes(self) -> bytes:
        """Return the bytes; call it where they are used, and nowhere else."""
        return self._value

    def reveal_text(self) -> str:
        """Return the value as UTF-8 text."""
        return self._value.decode()

    def __repr__(self) -> str:
        return PROTECTED

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return PROTECTED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a secret is never a key of a mapping

    def __reduce__(self) -> Never:
        raise TypeError("A secret is not pickled.")
