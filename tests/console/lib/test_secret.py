"""A secret shows itself nowhere."""

import json
import pickle

import pytest

from console.lib.digest import canonical_json
from console.lib.secret import Secret

PIN = "S3cret-PIN-5521"


def test_prints_formats_and_serialises_as_protected() -> None:
    secret = Secret(PIN)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>20}", "%s" % secret, repr([secret])]  # noqa: UP031
    assert all(PIN not in text for text in shown)
    assert PIN.encode() not in canonical_json({"pin": secret})


def test_json_and_pickle_refuse_it() -> None:
    with pytest.raises(TypeError):
        json.dumps(Secret(PIN))
    with pytest.raises(TypeError):
        pickle.dumps(Secret(PIN))


def test_reveals_on_purpose_only() -> None:
    assert Secret(PIN).reveal_text() == PIN
    assert Secret(PIN.encode()) == Secret(PIN)
    assert Secret(PIN) != Secret("other")
