"""A private key on its way to OpenSSL, which reads files only."""

import os
from pathlib import Path

import pytest

from serving.tls import memory_file


def test_a_memory_file_holds_what_it_was_given_and_is_gone_after() -> None:
    with memory_file(b"a key") as path:
        assert Path(path).read_bytes() == b"a key"
        descriptor = int(Path(path).name)
        assert not os.get_inheritable(descriptor)
        with pytest.raises(OSError, match="not permitted"):
            os.write(descriptor, b"x")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
