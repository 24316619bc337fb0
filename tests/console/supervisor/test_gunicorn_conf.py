"""Nothing that another machine can reach is served in clear."""

import os
import subprocess
import sys

import pytest

from console.env import BASE_DIR
from console.supervisor import gunicorn_conf


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("127.8.9.1:80", True),
        ("localhost:8000", True),
        ("unix:/run/keystead/web.sock", True),
        ("0.0.0.0:8000", False),
        ("[::]:8000", False),
        (":8000", False),
        ("192.168.7.4:8000", False),
        ("keys.example.com:443", False),
        ("127.0.0.1.example.com:80", False),
    ],
)
def test_which_addresses_are_local(address: str, local: bool) -> None:
    assert gunicorn_conf.is_local(address) is local


@pytest.mark.parametrize(
    ("tls", "refused"), [({}, True), ({"KEYSTEAD_TLS_CERTIFICATE": "a", "KEYSTEAD_TLS_KEY": "b"}, False)]
)
def test_gunicorn_does_not_start_in_clear(tls: dict[str, str], refused: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import console.supervisor.gunicorn_conf as c; print(c.bind, c.control_socket_disable)"],
        cwd=BASE_DIR,
        env={**os.environ, "KEYSTEAD_BIND": "127.0.0.1:8000, 0.0.0.0:8443", **tls},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) is refused
    assert ("0.0.0.0:8443 without TLS" in done.stderr) is refused
