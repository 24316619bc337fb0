"""Every operation of the protocol on a real token, through real TLS (DMN-01)."""

import base64
import hashlib
import secrets

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from tests.hsm.gateway.asking import b64
from tests.hsm.gateway.conftest import Served

SIGNING = ["sign", "verify"]


@pytest.fixture
def key_id() -> bytes:
    return secrets.token_bytes(16)


def test_says_which_token_it_is_and_that_anybody_may_ask(served: Served) -> None:
    with served.client() as client:
        for operation in ("token", "probe"):
            answer = client.ask(operation)
            assert answer.status == 200
            assert answer.body["token"]["label"] == served.token.label
            assert answer.body["token"]["serial"] == served.token.serial
            assert answer.body["is_open"] is True  # no CA_FILE
            assert answer.body["protocol"] == 1


def test_a_key_lives_from_generate_to_remove(served: Served, key_id: bytes) -> None:
    key = {"family": "key-pair", "key_id": key_id}
    with served.client() as client:
        made = client.ask("generate", key_id=key_id, spec="ec-p256", key_label="Payroll", operations=SIGNING)
        assert made.status == 200, made.body
        assert made.body["key"]["label"] == "Payroll"
        assert sorted(made.body["key"]["operations"]) == SIGNING
        assert client.ask("read", **key).body == made.body
        digest = hashlib.sha256(b"a message").digest()
        signed = client.ask("sign", **key, data=digest, scheme="ecdsa-sha256").body["signature"]
        _verify(made.body["key"]["spki_der"], signed, digest)
        said = client.ask("verify", **key, data=digest, scheme="ecdsa-sha256", signature=signed)
        assert said.body == {"valid": True}
        other = hashlib.sha256(b"another").digest()
        said = client.ask("verify", **key, data=other, scheme="ecdsa-sha256", signature=signed)
        assert said.body == {"valid": False}
        assert client.ask("permit", **key, operations=["verify"]).body["key"]["operations"] == ["verify"]
        assert client.ask("remove-private", key_id=key_id).body == {}
        half = client.ask("read", **key).body["key"]
        assert (half["has_private"], half["has_public"]) == (False, True)
        assert client.ask("remove", **key, spki_der=half["spki_der"]).body == {}
        assert client.ask("read", **key).body == {"key": None}
        # Absent means done: a destruction can be sent again.
        assert client.ask("remove", **key, spki_der=half["spki_der"]).body == {}


def test_imports_and_encrypts(served: Served, key_id: bytes) -> None:
    key = {"family": "secret-key", "key_id": key_id}
    material = secrets.token_bytes(32)
    with served.client() as client:
        made = client.ask(
            "import", key_id=key_id, spec="aes-256", key_label="", operations=["encrypt", "decrypt"], material=material
        )
        assert made.status == 200, made.body
        plain = secrets.token_bytes(4096)
        sealed = client.ask("encrypt", **key, data=plain, scheme="aes-gcm")
        assert client.ask("decrypt", **key, data=sealed.body["data"], scheme="aes-gcm").body == {"data": b64(plain)}
        assert client.ask("decrypt", **key, data=b"x" * 40, scheme="aes-gcm").status == 422
    assert b64(material) not in served.gateway.log
    assert material.hex() not in served.gateway.log


def test_a_creation_that_is_sent_twice_shows_the_key_that_is_there(served: Served, key_id: bytes) -> None:
    asked = {"key_id": key_id, "spec": "ec-p256", "key_label": "Once", "operations": SIGNING}
    with served.client() as client:
        made = client.ask("generate", **asked).body["key"]
        again = client.ask("generate", **asked)
        assert (again.status, again.code) == (409, "KEY_EXISTS")
        assert again.body["existing"] == made
        # The same CKA_ID in the other family stands in the way as well, and is shown.
        other = client.ask("generate", **{**asked, "spec": "aes-128", "operations": ["encrypt"]})
        assert (other.status, other.body["existing"]["family"]) == (409, "key-pair")
        assert client.ask("remove", family="key-pair", key_id=key_id, spki_der=b"another").code == "KEY_DIFFERS"
        assert client.ask("read", family="key-pair", key_id=key_id).body["key"] == made


def test_a_key_that_is_not_there(served: Served, key_id: bytes) -> None:
    digest = bytes(32)
    with served.client() as client:
        missing = client.ask("sign", family="key-pair", key_id=key_id, data=digest, scheme="ecdsa-sha256")
        assert (missing.status, missing.code) == (404, "KEY_MISSING")
        assert missing.body["outcome_unknown"] is False


def test_says_what_the_token_offers(served: Served) -> None:
    with served.client() as client:
        offered = client.ask("mechanisms").body
    assert "ECDSA" in offered["mechanisms"]
    assert {"ec-p256", "rsa-2048"} <= set(offered["specs"])
    assert "ecdsa-sha256" in offered["schemes"]


def _verify(spki: str, signature: str, digest: bytes) -> None:
    key = serialization.load_der_public_key(base64.b64decode(spki))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(base64.b64decode(signature), digest, ec.ECDSA(Prehashed(hashes.SHA256())))
