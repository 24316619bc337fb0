"""Protocol 315, Client 7.4 or later: enrol first, then register, and follow what the server signs."""

from datetime import datetime, timedelta

from trust.agent import answering, enrolling, exchange, following, registering, timing
from trust.agent.attempts import attempt
from trust.agent.client import Client
from trust.agent.errors import CertificateRefusedError, RefusedError
from trust.agent.timing import NEVER, Track
from trust.wire import signatures

WINDOW = "PKIClientTLSKeyRenewalWindowHours"
AGAIN_S = (3600.0, 7200.0)
REVOKED_WAIT_S = 3600
CLIENT_REVOKED = "client-revoked"


class Modern:
    """Two tracks: the certificate, and the registrations with it. TLSMode 0 leaves only registrations in clear."""

    def __init__(self, client: Client) -> None:
        self._client = client
        now = client.clock()
        self._enrolment, self._registration = Track(now), Track(now)

    def due(self) -> datetime:
        """Return when there is something to do."""
        return min(self._enrolment_due(), self._registration_due())

    def work(self, now: datetime) -> None:
        """Do what is due."""
        client = self._client
        if now >= self._enrolment_due():
            attempt(client, self._enrolment, "enrolment", self._enrol)
        if client.clock() >= self._registration_due():  # after an enrolment at once
            attempt(client, self._registration, "registration", self._register)

    def _enrolment_due(self) -> datetime:
        client, state = self._client, self._client.state
        if client.setting("TLSMode") == 0:
            return NEVER
        if state.identity is None or state.request or not client.counts(state.identity):
            return self._enrolment.due
        not_after = signatures.certificate_of(state.identity.certificate).not_valid_after_utc
        here = not_after + timedelta(seconds=state.clock_ahead_s)
        renewal = timing.renewal_at(here, state.identity.certified_at, client.setting(WINDOW))
        return max(self._enrolment.due, min(renewal, state.move_at or NEVER))

    def _registration_due(self) -> datetime:
        client = self._client
        if client.setting("TLSMode") and not client.counts(client.state.identity):
            return NEVER  # the certificate comes first
        return self._registration.due

    def _enrol(self) -> datetime:
        client = self._client
        try:
            enrolling.enrol(client)
        except CertificateRefusedError:
            enrolling.refuse(client)
            raise
        state = client.state
        if state.identity and state.newest and state.identity.root != state.newest:
            # The server signs below the older root still, or this client has not heard of the newest one yet.
            state.move_at = client.clock() + timedelta(seconds=client.jitter(*AGAIN_S))
            client.save()
        self._registration.succeeded(client.clock())
        return client.clock()

    def _register(self) -> datetime:
        client, mode = self._client, self._client.setting("TLSMode")
        at = exchange.door(client, certificate=True) if mode else exchange.plain_door(client)
        within_s = client.state.move_within_s
        try:
            registered = registering.register(client, at, mode=mode)
        except CertificateRefusedError:
            self._refused()
            raise
        except RefusedError as error:
            if mode and error.status == 401:
                self._refused()
            if error.code == CLIENT_REVOKED:
                error.retry_after_s = max(REVOKED_WAIT_S, error.retry_after_s or 0)
            raise
        registering.take_documents(client, registered, at)
        if registered.move_within_s < within_s:
            following.follow_newest(client)
        if mode:
            answering.send_answers(client)
        return timing.next_normal(client.clock(), registered.next_s, client.jitter)

    def _refused(self) -> None:
        enrolling.refuse(self._client)
        self._enrolment.succeeded(self._client.clock())
