"""How a client begins in a directory: with a keystead-init.dat (protocol 315), or a keystead.pub (314)."""

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256

from trust import anchors
from trust.agent.directory import Directory
from trust.agent.errors import SetupError
from trust.agent.legacy import public_key
from trust.agent.pkilog import PkiLog
from trust.agent.state import Layers, State
from trust.wire import initfile
from trust.wire.errors import WireError
from trust.wire.initfile import Address
from trust.wire.names import client_name


def from_init(directory: Directory, raw: bytes, *, name: str, connect: Address | None = None) -> None:
    """Begin with a keystead-init.dat. Raises SetupError for one that does not hold.

    `connect` is where its servers are reached (None: by their names). In a directory where a client began already the
    same file changes nothing, and a newer one brings new roots, servers and a new credential: whoever may put a file
    there vouches for it. What the client saw revoked stays so. One of another server is refused:
    the certificate, and what was taken of documents, would go on being the former one's.
    """
    content = _content(raw)
    digest = sha256(raw).hexdigest()
    state = _fresh(name, 315, content.servers) if directory.is_new else directory.load()
    if state.protocol != 315:
        raise SetupError("In this directory works a client of protocol 314.", code="other-protocol")
    state.connect = connect
    if digest != state.init_sha256:
        if state.made_at and content.made_at < state.made_at:
            raise SetupError("This file is older than the one that this client has taken.", code="old-init-file")
        roots = anchors.root_certificates(root.certificate for root in content.roots)
        if state.made_at and not _is_known(state, content, roots):
            raise SetupError(
                "This file is of another server. Nothing was changed: begin in another directory.", code="other-server"
            )
        state.roots = {key: der for key, der in roots.items() if key not in state.revoked}
        if not state.roots:
            raise SetupError("Every root of this file was revoked.", code="old-init-file")
        state.servers, state.credential = content.servers, content.enrolment
        state.init_sha256, state.made_at = digest, content.made_at
        state.layers = Layers(content.settings, state.layers.general, state.layers.own)
    directory.save(state)


def from_public_key(
    directory: Directory, pem: bytes, *, name: str, server: Address, connect: Address | None = None
) -> None:
    """Begin with a keystead.pub: nothing but the public key of legacy-root. Raises SetupError.

    In a directory where a client began already another key is another server's: what was held by it is forgotten.
    """
    key = public_key(pem)
    state = _fresh(name, 314, (server,)) if directory.is_new else directory.load()
    if state.protocol != 314:
        raise SetupError("In this directory works a client of protocol 315.", code="other-protocol")
    if state.public_key != key:
        state.public_key, state.roots = key, {}
    state.servers, state.connect = (server,), connect
    directory.save(state)


def tidy(directory: Directory, state: State, clock: Callable[[], datetime]) -> None:
    """Set right what a crash may have left: keys that nothing refers to, settings that are not in their file yet.

    A certificate whose private key is gone is worth nothing: the client begins again without one.
    """
    keys = directory.keys
    for part in ("identity", "request"):
        held = getattr(state, part)
        if held and not keys.key_path(held.key).exists():
            PkiLog(directory.logs, clock).key("key-lost", state.name, part)
            setattr(state, part, None)
    state.doubtful = tuple(key for key in state.doubtful if keys.key_path(key).exists())
    state.wait_for_nothing(clock())
    keys.keep_only(state.keys)
    directory.settings.take(state.layers)
    directory.save(state)


def _is_known(state: State, content: initfile.Content, roots: dict[str, bytes]) -> bool:
    """Tell whether a file shares a server's name, or a root, with what the client knows: both do not change at once."""
    names = {server.name for server in state.servers} & {server.name for server in content.servers}
    return bool(names) or not {*state.roots, *state.revoked}.isdisjoint(roots)


def _content(raw: bytes) -> initfile.Content:
    try:
        content = initfile.decode(raw)
        anchors.root_certificates(root.certificate for root in content.roots)
    except WireError as error:
        raise SetupError(error.message, code=error.code) from error
    if not content.servers:
        raise SetupError(f"The {initfile.FILE_NAME} names no server.", code="bad-init-file")
    return content


def _fresh(name: str, protocol: int, servers: tuple[Address, ...]) -> State:
    try:
        return State(name=client_name(name), protocol=protocol, servers=servers)
    except WireError as error:
        raise SetupError(f"{name!r}: {error.message}", code=error.code) from error
