"""Secrets of second factors as the database holds them."""

import pytest
from pytest_django import Settings

from console.accounts import factor_keys
from console.lib.errors import UnavailableError


def test_what_is_encrypted_opens_again_and_never_looks_the_same() -> None:
    first, second = factor_keys.encrypt("JBSWY3DP"), factor_keys.encrypt("JBSWY3DP")
    assert first != second
    assert "JBSWY3DP" not in first
    assert factor_keys.decrypt(first) == factor_keys.decrypt(second) == "JBSWY3DP"


def test_the_old_key_opens_while_it_is_a_fallback(settings: Settings) -> None:
    sealed, old = factor_keys.encrypt("JBSWY3DP"), settings.SECRET_KEY
    settings.SECRET_KEY = "a new key of forty characters or even more"
    with pytest.raises(UnavailableError, match="SECRET_KEY"):
        factor_keys.decrypt(sealed)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert factor_keys.decrypt(sealed) == "JBSWY3DP"
