"""Which registrations the settings allow: each row of TLS-14 to TLS-19, and that one flag leaves the other alone."""

import itertools

import pytest

from trust.clients.registration_rules import Flags, refusal

DEFAULT = Flags(require_tls_315=True, require_tls_314=False, enable_314=False)
WITH_314 = Flags(require_tls_315=True, require_tls_314=False, enable_314=True)


def code(flags: Flags, protocol: int, *, tls: bool, certified: bool = False) -> str:
    found = refusal(flags, 314 if protocol == 314 else 315, using_tls=tls, certified=certified)
    return found.code if found else ""


@pytest.mark.parametrize(
    ("flags", "protocol", "tls", "certified", "refused"),
    [
        (DEFAULT, 315, True, True, ""),  # TLS-14, TLS-19
        (DEFAULT, 315, True, False, "enrol-first"),
        (DEFAULT, 315, False, False, "tls-required"),
        (DEFAULT, 314, True, False, "protocol-disabled"),
        (DEFAULT, 314, False, False, "protocol-disabled"),
        (WITH_314, 314, False, False, ""),  # TLS-16, TLS-19
        (WITH_314, 314, True, False, ""),
        (WITH_314, 314, True, True, "no-certificate-in-314"),
        (Flags(require_tls_315=False, require_tls_314=False, enable_314=False), 315, False, False, ""),  # TLS-15
        (Flags(require_tls_315=False, require_tls_314=False, enable_314=False), 315, True, False, ""),
        (
            Flags(require_tls_315=True, require_tls_314=True, enable_314=True),
            314,
            False,
            False,
            "tls-required",
        ),  # TLS-17
        (Flags(require_tls_315=True, require_tls_314=True, enable_314=True), 314, True, False, ""),
    ],
)
def test_what_is_allowed(flags: Flags, protocol: int, tls: bool, certified: bool, refused: str) -> None:
    assert code(flags, protocol, tls=tls, certified=certified) == refused


def test_the_flag_of_one_protocol_changes_nothing_for_the_other() -> None:  # TLS-36
    for tls, certified, other in itertools.product((True, False), repeat=3):
        if certified and not tls:
            continue
        one = [Flags(require_tls_315=flag, require_tls_314=other, enable_314=True) for flag in (True, False)]
        assert len({code(flags, 314, tls=tls, certified=certified) for flags in one}) == 1
        two = [Flags(require_tls_315=other, require_tls_314=flag, enable_314=True) for flag in (True, False)]
        assert len({code(flags, 315, tls=tls, certified=certified) for flags in two}) == 1
