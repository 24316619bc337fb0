"""Formats between server and client: what is written is read again, and whatever else comes is refused in words."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import names as key_names
from tests.trust import authorities
from tests.trust.authorities import Holder
from trust import anchors
from trust.agent import est, exchange, keys, request
from trust.agent.transport import Reply
from trust.anchors import Held
from trust.wire import documents, initfile, messages, names, proof, signatures, signed
from trust.wire.documents import ListedRoot, Settings, TrustList
from trust.wire.errors import WireError
from trust.wire.initfile import Address, Content, Enrolment, Signed
from trust.wire.messages import Registered
from trust.wire.proof import Proof
from trust.wire.signed import Envelope, Kind

ROOT = authorities.root("server.example Root 0")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
NESTED = b"[" * 200_000
SECRET = "a-secret-that-shows-nowhere"

READERS: list[Callable[[bytes], object]] = [
    signed.decode,
    initfile.decode,
    proof.decode,
    lambda raw: documents.decode(raw, TrustList),
    lambda raw: documents.decode(raw, Settings),
    signatures.certificate_of,
    lambda raw: names.client_name(raw.decode("latin-1")),
    lambda raw: est.attributes(Reply(200, "", raw)),
    lambda raw: est.certificates(Reply(200, "", raw)),
    lambda raw: messages.decode(raw, Registered),
]


def refusal_of(read: Callable[[bytes], object], raw: bytes) -> WireError | None:
    try:
        read(raw)
    except WireError as error:
        return error
    return None


@pytest.mark.parametrize("read", READERS)
@given(raw=st.binary() | st.binary().map(lambda raw: initfile.FIRST_LINE + raw) | st.text().map(str.encode))
@settings(max_examples=40)
def test_rubbish_is_refused_in_words(read: Callable[[bytes], object], raw: bytes) -> None:
    refused = refusal_of(read, raw)
    assert refused is None or (refused.code and refused.message)


@pytest.mark.parametrize("read", READERS[:5])
@pytest.mark.parametrize("raw", [NESTED, b'{"a":' * 100_000, initfile.FIRST_LINE + NESTED])
def test_what_is_nested_without_end_is_refused(read: Callable[[bytes], object], raw: bytes) -> None:
    with pytest.raises(WireError):
        read(raw)


@given(st.binary(max_size=300))
def test_attributes_are_read_to_any_depth_and_never_beyond_the_end(raw: bytes) -> None:
    try:
        found = est.attributes(Reply(200, "", base64.b64encode(raw)))
    except WireError:
        return
    assert all(part.isdigit() for name in found for part in name.split("."))


def test_attributes_without_end_are_refused() -> None:
    with pytest.raises(WireError):
        est.attributes(Reply(200, "", base64.b64encode(b"\x30\x00" * 10_000)))


def test_attributes_are_read_as_deep_as_they_go() -> None:
    der = b"\x06\x01\x2a"
    for _ in range(3000):
        der = b"\x30\x82" + len(der).to_bytes(2, "big") + der
    assert est.attributes(Reply(200, "", base64.b64encode(der))) == {"1.2"}


SIGNED_DATA, VERSION, P256 = map(bytes.fromhex, ("2a864886f70d010702", "a003020102", "2a8648ce3d030107"))


# Found by ./run fuzz: `cryptography` has errors of its own for what it does not know, which are no ValueError.
@pytest.mark.parametrize("part", [VERSION, P256])
def test_a_certificate_of_an_unknown_kind_is_refused_in_words(part: bytes) -> None:
    assert part in ROOT.der
    with pytest.raises(WireError):
        signatures.certificate_of(ROOT.der.replace(part, part[:-1] + b"\x09"))


@pytest.mark.parametrize("part", [VERSION, SIGNED_DATA])
def test_a_bag_of_an_unknown_kind_is_refused_in_words(part: bytes) -> None:
    bag = pkcs7.serialize_certificates([ROOT.certificate], Encoding.DER)
    assert part in bag
    with pytest.raises(WireError):
        est.certificates(Reply(200, "", base64.b64encode(bag.replace(part, part[:-1] + b"\x09"))))


@pytest.mark.parametrize("oid", ["551d13", "551d25"])  # basicConstraints, extendedKeyUsage
def test_an_extension_that_comes_twice_makes_no_authority(oid: str) -> None:
    intermediate = authorities.below(ROOT, "intermediate", is_ca=True, purposes=authorities.TLS)
    both = [bytes.fromhex(f"0603{one}") for one in ("551d13", "551d25")]
    der = intermediate.der
    for one in both:
        der = der.replace(one, bytes.fromhex(f"0603{oid}"))
    leaf = authorities.below(intermediate, "c", purposes=authorities.TLS)
    held = Held({ROOT.fingerprint: ROOT.der})
    assert anchors.leads_to((leaf.der, intermediate.der), held, authorities.TLS[0])
    assert anchors.leads_to((leaf.der, der), held, authorities.TLS[0]) is None
    assert anchors.leads_to((der,), held, authorities.TLS[0]) is None
    assert anchors.reachable(held, (der,)) == {ROOT.fingerprint}


def test_a_time_that_names_no_zone_is_refused() -> None:
    said = documents.encode(Settings(server="s", audience="*", sequence=1, issued_at=NOW, expires_at=NOW, settings={}))
    with pytest.raises(WireError):
        documents.decode(said.replace(b'"expires_at":"2026-11-22T00:00:00Z"', b'"expires_at":"2026-11-22T00:00:00"'),
                         Settings)  # fmt: skip


def test_attributes_name_the_curve() -> None:
    der = bytes.fromhex("3021301506072a8648ce3d0201310a06082a8648ce3d03010706082a8648ce3d040302")
    found = est.attributes(Reply(200, "", base64.b64encode(der)))
    assert found == {"1.2.840.10045.2.1", est.P256, "1.2.840.10045.4.3.2"}
    assert not est.wants_another_key(found)
    assert est.wants_another_key(frozenset({"1.3.132.0.34"}))
    assert not est.wants_another_key(frozenset())


def content(**changes: Any) -> Content:
    said: dict[str, Any] = {
        "version": "1",
        "made_at": NOW,
        "servers": (Address("server.example", 1, 2),),
        "roots": (ROOT.listed,),
        "enrolment": Enrolment("id", SECRET),
        "settings": {"ServerNameList": "server.example"},
    }
    return Content(**(said | changes))


def file_of(said: Content, signer: Holder = ROOT, prefix: bytes = initfile.PREFIX) -> bytes:
    raw = initfile.payload(said)
    return initfile.encode(Signed(raw, signer.sign(prefix + raw), signer.der))


def test_an_infrastructure_file_is_read_again() -> None:  # AMB-33
    raw = file_of(content())
    assert raw.startswith(b"keystead-init 1\n")
    assert initfile.decode(raw) == content()


@pytest.mark.parametrize(
    "raw",
    [
        file_of(content()).replace(b"init 1", b"init 2"),
        file_of(content(), authorities.root("server.example Root 0")),
        file_of(content(), prefix=signed.PREFIX),
        file_of(content(roots=(ListedRoot("x", b"rubbish"),))),
        file_of(content())[:-20],
        file_of(content()) + b" " * initfile.MOST_BYTES,
    ],
)
def test_an_infrastructure_file_that_does_not_hold_is_refused_without_its_secret(raw: bytes) -> None:
    with pytest.raises(WireError) as refused:
        initfile.decode(raw)
    assert SECRET not in refused.value.message
    assert SECRET not in repr(content())


@given(st.integers(0, 2**31 - 1), st.dictionaries(st.text(), st.integers(-(2**31), 2**31) | st.text()))
def test_a_document_is_read_again_and_every_change_breaks_it(sequence: int, told: dict[str, int | str]) -> None:
    said = Settings(server="server.example", audience="*", sequence=sequence, issued_at=NOW, settings=told)
    made = authorities.envelope(Kind.SETTINGS, said, ROOT)
    read = signed.decode(signed.encode(made))
    signed.check(read)
    assert documents.decode(read.payload, Settings) == said
    for changed in (
        Envelope(Kind.DIRECTIVE, made.payload, made.signature, made.signer),
        Envelope(made.kind, made.payload + b" ", made.signature, made.signer),
        Envelope(made.kind, made.payload, made.signature[:-1], made.signer),
    ):
        with pytest.raises(WireError):
            signed.check(changed)


def test_a_document_that_is_too_large_is_not_read() -> None:
    with pytest.raises(WireError) as refused:
        signed.decode(b" " * (signed.MOST_BYTES + 1))
    assert refused.value.code == "too-large"


def test_a_proof_is_bound_to_its_nonce_its_name_and_its_key() -> None:
    new, last = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    csr = x509.load_der_x509_csr(request.build("c.example", new, nonce=b"n", last_key=last, chain=(b"leaf", b"above")))
    assert csr.is_signature_valid
    (found,) = [one.value for one in csr.attributes if one.oid.dotted_string == proof.ATTRIBUTE]
    shown = proof.decode(found)
    certificate = authorities.below(ROOT, "last", key=last).certificate
    assert (shown.last_key, shown.chain) == (signatures.fingerprint(certificate), (b"leaf", b"above"))
    signatures.verify(shown.signature, proof.signed_bytes(b"n", "c.example", keys.spki(new)), certificate)
    for nonce, name, key in ((b"m", "c.example", new), (b"n", "d.example", new), (b"n", "c.example", last)):
        with pytest.raises(WireError):
            signatures.verify(shown.signature, proof.signed_bytes(nonce, name, keys.spki(key)), certificate)


@pytest.mark.parametrize(
    ("nonce", "signature", "chain"),
    [(b"x" * 65, b"", ()), (b"", b"x" * 1025, ()), (b"", b"", (b"x",) * 4), (b"", b"", (b"x" * 6145,))],
)
def test_a_proof_that_is_too_long_is_refused(nonce: bytes, signature: bytes, chain: tuple[bytes, ...]) -> None:
    with pytest.raises(WireError):
        proof.decode(proof.encode(Proof(nonce=nonce, last_key="0" * 64, signature=signature, chain=chain)))


@pytest.mark.parametrize(("text", "name"), [("Client-1.Example.", "client-1.example"), ("a", "a")])
def test_a_name_is_a_host_name_in_lower_case(text: str, name: str) -> None:
    assert names.client_name(text) == name


@pytest.mark.parametrize(
    "text", ["", ".", "a..b", "-a", "a-", "a_b", "a b", "x" * 64, "ü.example", "a\nb", "\u212aelvin", "a." * 127 + "a"]
)
def test_what_is_no_host_name_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        names.client_name(text)


@given(st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?(\.[a-z0-9]{1,40}){0,4}\Z"))
def test_a_common_name_is_the_name_or_stands_for_it_alone(name: str) -> None:
    assert request.common_name(name) == key_names.common_name(name)
    assert len(request.common_name(name)) <= 64


@pytest.mark.parametrize(
    ("reply", "code", "message"),
    [
        (Reply(403, "application/json", b'{"code":"a","message":"b"}'), "a", "b"),
        (Reply(403, "text/plain", b"No.\n"), "http-403", "No."),
        (Reply(500, "text/html", b"<h1>"), "http-500", "HTTP 500"),
        (Reply(500, "text/plain", b"\xff"), "http-500", "�"),
        (Reply(500, "application/json", b'{"code":"\xf9"}'), "http-500", "HTTP 500"),
    ],
)
def test_every_refusal_has_a_reason(reply: Reply, code: str, message: str) -> None:
    found = exchange.refused(reply)
    assert (found.code, found.message) == (code, message)
