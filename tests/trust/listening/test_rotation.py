"""New keys without a restart: what the worker files is served at once, and what is not whole is not."""

import socket
import ssl
import stat
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from django.core.management import call_command

from console.lib.actor import Actor
from console.lib.errors import UnavailableError
from console.lib.opening import worker_pair
from console.servers.models import Server
from keys import roots
from keys.models.root import RevocationReason, Root, RootState
from keys.models.subordinate import Subordinate
from keys.purposes import Purpose
from tests.fixtures.listener import Listener, NamedConnection
from tests.fixtures.processes import wait_for
from trust import setup
from trust.issuing import filing, opening, places

ACTOR = Actor.system("tests")
LIVE = ("GET", "/health/live")


def serial(connection: NamedConnection) -> int:
    """Return the serial number of the certificate that this connection was made with."""
    connection.request(*LIVE)
    assert connection.getresponse().read() == b"live\n"
    der = connection.sock.getpeercert(binary_form=True)
    assert der
    return x509.load_der_x509_certificate(der).serial_number


@pytest.fixture
def new_root(run_jobs: Callable[..., list[Any]]) -> Callable[[], Root]:
    def make() -> Root:
        root, _ = roots.request(actor=ACTOR, form_token=uuid.uuid4())
        run_jobs()
        root.refresh_from_db()
        return root

    return make


def test_a_rotation_needs_no_restart_and_breaks_no_connection(listener: Listener, new_root: Callable[[], Root]) -> None:
    knows_first = listener.context()
    assert listener.server
    first = Root.objects.numbered(listener.server).get()
    open_connection = listener.connect(knows_first)
    before = serial(open_connection)
    session, held = _session(listener, knows_first)
    assert not listener.file()  # nothing has changed
    new_root()
    assert listener.file()
    # The open connection goes on as it was; a new one gets the new certificate.
    assert serial(open_connection) == before
    after = serial(listener.connect(knows_first))  # the cross-certificate leads whoever knows only the old root
    assert after != before
    # No session survives it: a context is made for each version of the file.
    again, _ = _session(listener, knows_first, session)
    assert not again
    held.close()
    # Two rotations on, stock OpenSSL still finds its way from the first root, also if that one was gone before the
    # second rotation and certified the newest root never itself; from the last one directly.
    gone = {"state": RootState.REVOKED, "revoked_at": first.activated_at}
    Root.objects.filter(pk=first.pk).update(**gone, revocation_reason=RevocationReason.POLICY)
    new_root()
    assert listener.file()
    assert serial(listener.connect(knows_first)) == serial(listener.connect())
    # Compromised: it carries nobody over any more.
    Root.objects.filter(pk=first.pk).update(**gone, revocation_reason=RevocationReason.COMPROMISED)
    assert listener.file()
    with pytest.raises(ssl.SSLCertVerificationError):
        serial(listener.connect(knows_first))
    assert serial(listener.connect())

    # What is not whole is not used: the last good state stays.
    path = places.issuing_file()
    good = path.read_bytes()
    for broken in (b"", good[:40], good[: len(good) // 2], good[:-1] + bytes([good[-1] ^ 1]), b"keystead-issuing 9\n"):
        path.write_bytes(broken)
        assert serial(listener.connect())
    path.unlink()
    assert serial(listener.connect())
    # Made again as soon as the worker looks: it is missing.
    assert listener.file()
    assert serial(listener.connect())
    assert "Traceback" not in listener.log.read_text()


def _session(
    listener: Listener, context: ssl.SSLContext, former: ssl.SSLSession | None = None
) -> tuple[Any, ssl.SSLSocket]:
    """Return the session of a connection with TLS 1.2 (or, with `former`, whether that one was taken up again)."""
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    raw = socket.create_connection((listener.address, listener.port), timeout=60)
    connection = context.wrap_socket(raw, server_hostname=listener.fqdn, session=former)
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    return (connection.session_reused if former else connection.session), connection


@pytest.mark.one_database
def test_before_the_first_file_it_waits(listener_of: Callable[..., Listener], listener_keys: Server) -> None:
    places.issuing_file().unlink()
    waiting = listener_of()
    waiting.launch()
    wait_for(waiting.takes_connections, what="the port")
    assert not waiting.answers()
    assert waiting.file()
    assert waiting.answers()


@pytest.mark.one_database
def test_the_file_opens_for_the_listener_alone(listener_keys: Server) -> None:
    path = places.issuing_file()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(places.private_file().stat().st_mode) == 0o600
    opening.forget()
    issuing = opening.issuing()
    keys = {key.purpose: key for key in Subordinate.objects.active(listener_keys)}
    assert issuing.client_ca.id == keys[Purpose.CLIENT_TLS_CA].pk
    assert issuing.server_tls.certificate_der == bytes(keys[Purpose.SERVER_TLS].certificate_der)
    assert issuing.legacy_tls is None
    for key in (issuing.client_ca, issuing.server_tls):
        assert key.private_key.public_key() == key.certificate.public_key()
        private = key.private_key.private_numbers().private_value.to_bytes(32, "big")  # type: ignore[union-attr]
        assert private not in path.read_bytes()
        assert "PrivateKey" not in repr(key)
    # Neither root nor message-signing key is in it, and the pair of the server does not open it.
    sealed = path.read_bytes().partition(b"\n")[2]
    with pytest.raises(UnavailableError):
        worker_pair().open(sealed, purpose=places.PURPOSE, row_id=listener_keys.fqdn)
    with pytest.raises(UnavailableError):
        opening.pair().open(sealed, purpose=places.PURPOSE, row_id="other.example.com")
    # `manage.py sealing rotate` replaces the pair too, and seals for the new one.
    former = opening.pair()
    call_command("sealing", "rotate")
    assert setup.make_listener_pair() is None
    assert not filing.file_if_changed(listener_keys)
    opening.forget()
    assert opening.pair() != former
    assert opening.issuing().client_ca.id == issuing.client_ca.id
    with pytest.raises(UnavailableError):
        former.open(path.read_bytes().partition(b"\n")[2], purpose=places.PURPOSE, row_id=listener_keys.fqdn)
    # Halves that do not belong together are found by set-up, and a lost pair is made again.
    places.public_file().unlink()
    assert setup.make_listener_pair() == "Sealing pair of the listener made."
    # The worker sees that the file is for another pair, without opening anything.
    assert filing.file_if_changed(listener_keys)
    opening.forget()
