"""The module host: `python -m hsm.device.host SOCKET_FD LIFELINE_FD`, one loaded PKCS#11 module, one call at a time.

It is a process of its own because a module can hang, crash or corrupt memory, and nothing but SIGKILL stops it. It
reads the next request only after it has answered the last one: that is the lock that modules need, which are not safe
with several threads when initialised without OS locking.
"""

import ctypes
import fcntl
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

from hsm.device import objectwire, wire
from hsm.device.faults import ModuleFaultError
from hsm.device.p11objects import Objects
from hsm.device.pkcs11 import Module

PR_SET_DUMPABLE = 4  # linux/prctl.h
ANSWERS: dict[type, Callable[[Module, Any], wire.Reply]] = {
    wire.ListTokens: lambda module, _: wire.Tokens(module.tokens()),
    wire.Login: lambda module, asked: wire.LoggedIn(module.login(asked.label, asked.serial, asked.pin)),
    wire.Generate: lambda module, asked: wire.Found(module.generate(asked)),
    wire.Find: lambda module, asked: wire.Found(module.find(asked.key_id)),
    wire.Sign: lambda module, asked: wire.Signed(module.sign(asked.key_id, asked.digest, asked.scheme)),
    wire.Destroy: lambda module, asked: _after(module.destroy, asked.key_id),
    wire.ListMechanisms: lambda module, _: wire.Mechanisms(module.mechanisms()),
}
OBJECT_ANSWERS: dict[type, Callable[[Objects, Any], wire.Reply]] = {
    wire.Reset: lambda objects, _: _after(objects.reset),
    objectwire.Probe: lambda objects, asked: wire.LoggedIn(objects.probe(asked.label, asked.serial)),
    objectwire.MakeObject: lambda objects, asked: objectwire.FoundObject(objects.make(asked)),
    objectwire.ImportObject: lambda objects, asked: objectwire.FoundObject(objects.take_in(asked)),
    objectwire.ReadObject: lambda objects, asked: objectwire.FoundObject(objects.read(asked.family, asked.key_id)),
    objectwire.Permit: lambda objects, asked: objectwire.FoundObject(objects.permit(asked)),
    objectwire.RemovePrivate: lambda objects, asked: _after(objects.remove_private, asked.key_id),
    objectwire.RemoveObject: lambda objects, asked: _after(objects.remove, asked.family, asked.key_id),
    objectwire.UseKey: lambda objects, asked: objectwire.Used(objects.use(asked)),
}
F_SETSIG = 10  # asm-generic/fcntl.h; Python's fcntl does not name it


def die_with_parent(lifeline: int) -> None:
    """Have the kernel send SIGKILL to this process when the other end of the pipe closes.

    A signal from the kernel also ends a process whose C call hangs with the GIL held, where a thread would not run;
    PR_SET_PDEATHSIG would fire when the *thread* ends that started us.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    try:
        alive = os.read(lifeline, 1) != b""
    except BlockingIOError:
        alive = True
    if not alive:  # it closed before we asked for the signal
        os._exit(1)


def keep_memory_private() -> None:
    """No core dump and no debugger of the same user: the memory of a module may hold keys."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


class Host:
    """Answers requests with the one module it loads."""

    def __init__(self) -> None:
        self._module: Module | None = None
        self._objects: Objects | None = None

    def answer(self, request: wire.Request) -> Iterator[wire.Reply]:
        """Yield the reply, or its parts; a failure is a reply too."""
        try:
            yield from self._replies(request)
        except ModuleFaultError as fault:
            yield wire.Failed(fault.code, fault.detail, fault.outcome_unknown)

    def _replies(self, request: wire.Request) -> Iterator[wire.Reply]:
        match request:
            case wire.Load(path=path):
                self._module = Module(path)
                self._objects = Objects(self._module)
                yield self._module.info()
            case wire.ListKeys():
                yield from self._listing()
            case objectwire.ReadObjects(known=known):
                yield from self.objects.read_all(known)
            case _ if type(request) in OBJECT_ANSWERS:
                yield OBJECT_ANSWERS[type(request)](self.objects, request)
            case _:
                yield ANSWERS[type(request)](self.module, request)

    def _listing(self) -> Iterator[wire.Reply]:
        keys = self.module.list_keys()
        for start in range(0, max(len(keys), 1), wire.KEYS_PER_FRAME):
            end = start + wire.KEYS_PER_FRAME
            yield wire.Keys(keys[start:end], more=end < len(keys))

    @property
    def module(self) -> Module:
        """The loaded module."""
        if self._module is None:
            raise ModuleFaultError("HOST_PROTOCOL", "No module is loaded.")
        return self._module

    @property
    def objects(self) -> Objects:
        """The security objects of the loaded module."""
        if self._objects is None:
            raise ModuleFaultError("HOST_PROTOCOL", "No module is loaded.")
        return self._objects


def _after(act: Callable[..., None], *arguments: Any) -> wire.Reply:
    act(*arguments)
    return wire.Done()


def serve(channel: wire.Channel) -> None:
    """Answer until the worker closes its end."""
    host = Host()
    channel.send(wire.Ready())
    while True:
        request = channel.receive_request()
        for reply in host.answer(request):
            channel.send(reply)
        del request


def main() -> None:
    """Run the host on the two descriptors that the worker passed."""
    die_with_parent(int(sys.argv[2]))
    keep_memory_private()
    # Ctrl-C and systemd signal every process at once; the worker decides when its hosts end, after their last call.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    channel = wire.Channel(socket.socket(fileno=int(sys.argv[1])))
    try:
        serve(channel)
    except (EOFError, wire.ProtocolError):
        # Without interpreter shutdown: the destructors of a module may hang.
        os._exit(0)


if __name__ == "__main__":
    main()
