"""Enrolment by credential: who gets a certificate, once, and what it says."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from keys.models.root import Root
from keys.models.subordinate import Subordinate
from tests.trust.clients.est.conftest import Est
from tests.trust.clients.est.requesting import Made, certificates, csr, new_key, spki
from trust.models.certificates import Certificate, Ground

pytestmark = pytest.mark.django_db
NAME = "pc1.example.com"


def test_a_new_name_gets_a_certificate_below_the_intermediate(est: Est, credential: Made) -> None:
    # KEY-44, KEY-45, KEY-48: the request carries the public key only; the answer is signed by the intermediate.
    key = new_key()
    answer = est.post(csr(NAME, key), authorization=credential.basic)
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/pkcs7-mime; smime-type=certs-only"
    (certificate,) = certificates(answer.content)
    row = Certificate.objects.select_related("client", "issuer").get()
    issuer = x509.load_der_x509_certificate(bytes(row.issuer.certificate_der))
    certificate.verify_directly_issued_by(issuer)
    assert row.issuer.purpose == "client-tls-ca"
    assert certificate.public_key() == key.public_key()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME]
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=7, minutes=5)
    assert (bytes(row.der), bytes(row.spki_der)) == (certificate.public_bytes(Encoding.DER), spki(key))
    assert (row.serial, row.ground) == (f"{certificate.serial_number:x}", Ground.CREDENTIAL)
    assert row.client.name == NAME
    assert row.client.authenticated
    assert row.client.root == Root.objects.get(number=0)
    assert row.client.certificate_until == certificate.not_valid_after_utc
    assert row.client.credential == credential.row
    credential.row.refresh_from_db()
    assert credential.row.uses == 1
    # The intermediate is kept until this certificate ends, with some time to spare.
    needed = Subordinate.objects.get(pk=row.issuer_id).needed_until
    assert needed is not None
    assert row.issuer.not_after is not None
    assert certificate.not_valid_after_utc <= needed <= row.issuer.not_after
