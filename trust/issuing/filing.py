"""The worker hands the keys in use to the listener: it reads them from pki.db and seals them into one file.

For the worker: import contracts keep this module from the web and from the listener.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509

from console import pkilog
from console.lib import clock
from console.lib.digest import canonical_json, sha256_hex
from console.lib.sealing import SealingPublic
from console.servers.models import Server
from keys.keystore import open_local_store
from keys.models.root import Root
from keys.models.subordinate import Subordinate, SubordinateState
from keys.purposes import Purpose
from keys.signing import Signer
from trust.issuing import contents, envelope, places
from trust.issuing.contents import Issuing, IssuingKey
from trust.publishing import carried


@dataclass(frozen=True)
class _Facts:
    """What the file is to say, without the private keys."""

    keys: dict[str, Subordinate]
    chains: dict[str, tuple[bytes, ...]]
    roots_der: tuple[bytes, ...]
    crosses_der: tuple[bytes, ...]
    intermediates_der: tuple[bytes, ...]

    def digest(self, public: SealingPublic) -> str:
        """Return what changes when anything in the file changes, or the pair that it is for."""
        keys = {
            name: [str(key.pk), key.fingerprint, bytes(key.certificate_der).hex()] for name, key in self.keys.items()
        }
        lists = (self.roots_der, self.crosses_der, self.intermediates_der, *self.chains.values())
        return sha256_hex(
            canonical_json(
                [contents.VERSION, public.fingerprint, keys, [[der.hex() for der in ders] for ders in lists]]
            )
        )


def file_if_changed(server: Server) -> bool:
    """Write the file for the listener anew if what it says has changed; return whether it had.

    Nothing is opened when nothing has changed. Before the first key below a root is made there is nothing to file.
    Raises what pki.db raises when it does not open, UnavailableError without the listener's public half.
    """
    public = SealingPublic.load(places.public_file(), places.LISTENER)
    facts = _read(server)
    if facts is None:
        return False
    digest, path = facts.digest(public), places.issuing_file()
    if envelope.digest_of(path) == digest:
        return False
    content = contents.encode(_open(facts))
    envelope.write(path, digest, public.seal(content, purpose=places.PURPOSE, row_id=server.fqdn))
    names = ", ".join(f"{key.purpose} {key.serial}" for key in facts.keys.values())
    pkilog.write("issuing-filed", component="trust", subject=path.name, result=f"ok: {names}")
    return True


def _read(server: Server) -> _Facts | None:
    active = {key.purpose: key for key in Subordinate.objects.active(server).select_related("root")}
    keys = {name: active[purpose] for name, purpose in contents.PURPOSES.items() if purpose in active}
    if "client_ca" not in keys or "server_tls" not in keys:
        return None
    intermediates = Subordinate.objects.filter(
        server=server,
        purpose=Purpose.CLIENT_TLS_CA,
        state__in=(SubordinateState.ACTIVE, SubordinateState.RETIRED),
        not_after__gt=clock.now(),
    ).order_by("-created_at")
    return _Facts(
        keys=keys,
        chains={"server_tls": chain(keys["server_tls"].root)},
        roots_der=_certificates(Root.objects.numbered(server)),
        crosses_der=carried.crosses(server),
        intermediates_der=_certificates(intermediates),
    )


def chain(root: Root) -> tuple[bytes, ...]:
    """Return what makes a certificate below `root` acceptable to whoever knows only an older root.

    A verifier takes the first issuer of the right name that it is sent, and does not go back. So the nearest root
    comes first, and what leads on from that one follows: with it, two rotations are bridged as well as one, also if
    the first root was gone before the second rotation. Clients that missed more find their way (`trust.agent`).
    """
    crosses = carried.rows(root.server).filter(subject__number__lte=root.number).select_related("issuer", "subject")
    by_pair = {(cross.subject.number or 0, cross.issuer.number or 0): bytes(cross.certificate_der) for cross in crosses}
    newest = root.number or 0
    own = sorted(
        (issuer for subject, issuer in by_pair if subject == newest), key=lambda number: (number > newest, -number)
    )
    older = [issuer for issuer in own if issuer < newest]
    onward = sorted((pair for pair in by_pair if pair[0] in older[:1] and pair[1] < pair[0]), reverse=True)
    return tuple(by_pair[pair] for pair in [*((newest, issuer) for issuer in own), *onward])


def _open(facts: _Facts) -> Issuing:
    with open_local_store() as store:
        opened = {
            name: _open_key(store.private_key(key.cka_id), key, facts.chains.get(name, ()))
            for name, key in facts.keys.items()
        }
    return Issuing(
        made_at=clock.now(),
        client_ca=opened["client_ca"],
        server_tls=opened["server_tls"],
        legacy_tls=opened.get("legacy_tls"),
        roots_der=facts.roots_der,
        crosses_der=facts.crosses_der,
        intermediates_der=facts.intermediates_der,
    )


def _open_key(private_key: Signer, key: Subordinate, chain_der: tuple[bytes, ...]) -> IssuingKey:
    return IssuingKey(key.pk, private_key, x509.load_der_x509_certificate(bytes(key.certificate_der)), chain_der)


def _certificates(keys: Iterable[Root | Subordinate]) -> tuple[bytes, ...]:
    return tuple(bytes(key.certificate_der) for key in keys)
