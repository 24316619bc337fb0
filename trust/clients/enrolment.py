"""Certify a client's key: on which ground, exactly once for each request, and stored before it is answered.

The grounds, in order: the certificate that the client presented; the proof of its last key, or, after a restore and
while an administrator says so, of one that was forgotten (`trust.clients.forgotten`); an administrator's permission,
used up by it, with a valid credential; a valid credential for a name that nobody knows. A known name with a
valid credential and nothing more waits for an administrator. A revoked client is refused whatever it proves, and the
name of a server is nobody's (docs/client-protocol.md).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from django.db import IntegrityError

from console.lib import clock
from console.lib.errors import RefusedError, UnavailableError
from trust.clients import (
    answered,
    certifying,
    credentials_check,
    forgotten,
    identity,
    last_key,
    lookup,
    pending,
    policy,
)
from trust.clients.certifying import Order
from trust.clients.credentials_check import Presented
from trust.clients.est.wire import CertificateRequest
from trust.clients.identity import IdentityError
from trust.clients.policy import Policy
from trust.clients.readmission import Admission
from trust.errors import OvertakenError, UnidentifiedError, WaitsError
from trust.issuing.contents import Issuing
from trust.models.certificates import Certificate, Ground
from trust.models.clients import Client, ClientState
from trust.wire.proof import Proof

ROUNDS = 4


@dataclass(frozen=True)
class Claim:
    """What says who asks: the certificate of the TLS connection (not judged yet), and the credential.

    `must_renew`: the request was sent to where certificates are renewed (RFC 7030 §4.2.2). `nonce_key` is the key of
    `trust.clients.nonce`.
    """

    certificate_der: bytes | None
    credential: Presented | None
    address: str
    must_renew: bool
    nonce_key: bytes


@dataclass(frozen=True)
class Enrolled:
    """`is_new` is False when the same request was answered before."""

    certificate_der: bytes
    name: str
    ground: Ground
    serial: str
    is_new: bool


def enrol(request: CertificateRequest, claim: Claim, issuing: Issuing) -> Enrolled:
    """Return the certificate for a request.

    Raises UnidentifiedError, TooManyGuessesError, WaitsError, RefusedError and UnavailableError; then nothing was
    certified. The same request by several processes at once gets one certificate: whoever comes second finds it.
    """
    for _ in range(ROUNDS):
        try:
            return _Attempt(request, claim, policy.of(issuing.client_ca.id), issuing, clock.now()).run()
        except (IntegrityError, OvertakenError):
            # Another process stored something between our look and our transaction: look again.
            continue
    raise UnavailableError("This name is being enrolled by several requests at once. Try again.", code="busy")


@dataclass(frozen=True)
class _Attempt:
    """One look at one request."""

    request: CertificateRequest
    claim: Claim
    rules: Policy
    issuing: Issuing
    now: datetime

    def run(self) -> Enrolled:
        if self.request.name in self.rules.reserved:
            raise RefusedError("This is the name of a server: no client gets it.", code="reserved-name")
        holder = self._holder()
        if holder is not None:
            return self._renew(holder)
        if self.request.proof is not None:
            return self._prove(self.request.proof)
        if self.claim.must_renew:
            raise UnidentifiedError(
                "Renewal needs the client's certificate, or a proof of its last key (RFC 7030 §4.2.2).",
                code="no-certificate",
            )
        if self.claim.credential is None:
            raise UnidentifiedError("Send the enrolment credential of your infrastructure file.", code="no-credential")
        return self._with_credential(self.claim.credential)

    def _holder(self) -> Certificate | None:
        """Return the presented certificate's row. One that no longer counts is no hindrance to a proof."""
        if self.claim.certificate_der is None:
            return None
        try:
            return identity.identify(self.claim.certificate_der, self.now)
        except IdentityError:
            if self.request.proof is None:
                raise
            return None

    def _renew(self, holder: Certificate) -> Enrolled:
        if holder.client.name != self.request.name:
            raise RefusedError("The request names another client than the certificate presented.", code="wrong-name")
        first = answered.digest(holder.client_id, self.request.der, holder.serial)
        return self._answer(Ground.RENEWAL, holder.client_id, first)

    def _prove(self, proof: Proof) -> Enrolled:
        client = Client.objects.filter(name=self.request.name, authenticated=True).first()
        if client is None:
            raise RefusedError("Nothing is known of a last key of this name.", code="unknown-name")
        _refuse_revoked(client.state == ClientState.REVOKED)
        first = answered.digest(client.pk, self.request.der)
        row, _ = answered.find(first, self.now)
        if row is not None:
            return self._again(row)
        if admission := forgotten.admission(client, proof, self.now):
            last_key.check_signature(admission.spki_der, self.request, proof, self.claim.nonce_key, self.now)
            return self._answer(Ground.READMITTED, client.pk, first, admission)
        last_key.check(client, self.request, proof, self.claim.nonce_key, self.now)
        return self._answer(Ground.LAST_KEY, client.pk, first)

    def _with_credential(self, presented: Presented) -> Enrolled:
        found = lookup.look_up(self.request.name, self.request.fingerprint, presented.id, self.claim.address, self.now)
        credentials_check.check_secret(presented, found, self.claim.address, self.now)
        _refuse_revoked(found.is_revoked)
        if found.client_id is None:
            credentials_check.check_validity(found)
            credentials_check.check_uses(found)
            client_id = uuid4()
            order = self._order(Ground.CREDENTIAL, client_id, answered.digest(client_id, self.request.der))
            made = certifying.certify(replace(order, credential_id=presented.id))
            return Enrolled(made.der, self.request.name, made.ground, made.serial, is_new=True)
        first = answered.digest(found.client_id, self.request.der)
        row, _ = answered.find(first, self.now)
        if row is not None:
            return self._again(row)
        credentials_check.check_validity(found)
        if found.is_allowed:
            return self._answer(Ground.ALLOWED, found.client_id, first)
        pending.wait(found.client_id, self.request.fingerprint, presented.id, self.claim.address, self.now)
        raise WaitsError(
            "This name is known. Prove its last key, or have an administrator allow it to enrol again.", code="waits"
        )

    def _answer(self, ground: Ground, client_id: UUID, first: str, admission: Admission | None = None) -> Enrolled:
        row, free = answered.find(first, self.now)
        if row is not None:
            return self._again(row)
        made = certifying.certify(replace(self._order(ground, client_id, free), admission=admission))
        return Enrolled(made.der, self.request.name, made.ground, made.serial, is_new=True)

    def _again(self, row: Certificate) -> Enrolled:
        """Return what the same request got. It is on the disk: before that, no transaction sees the row."""
        return Enrolled(bytes(row.der), self.request.name, Ground(row.ground), row.serial, is_new=False)

    def _order(self, ground: Ground, client_id: UUID, digest: str) -> Order:
        return Order(
            request=self.request,
            rules=self.rules,
            key=self.issuing.client_ca,
            now=self.now,
            ground=ground,
            client_id=client_id,
            digest=digest,
            address=self.claim.address,
        )


def _refuse_revoked(is_revoked: bool) -> None:
    if is_revoked:
        raise RefusedError("This client was revoked.", code="revoked")
