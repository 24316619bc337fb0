"""Roles of the token itself."""

import subprocess

import pytest

from tests.fixtures.softhsm import SoftHsm


def test_only_the_security_officer_initialises_a_pin(softhsm: SoftHsm) -> None:  # ROL-07, ROL-08
    token = softhsm.token("alpha", pin="24681357")
    command = ["--token-label", token.label, "--login", "--login-type", "so", "--init-pin", "--new-pin", "97531864"]
    with pytest.raises(subprocess.CalledProcessError):
        softhsm.tool(*command, "--so-pin", token.pin)  # the PIN of a user is not the one of the security officer
    assert softhsm.objects(token) == ""  # the old PIN still opens it
    softhsm.tool(*command, "--so-pin", token.so_pin)
    with pytest.raises(subprocess.CalledProcessError):
        softhsm.objects(token)
