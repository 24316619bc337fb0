"""Bytes as they are typed and shown."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.lib.errors import InvalidError
from hsm.use.encodings import Encoding, base64_of, decode, text_of


@pytest.mark.parametrize(
    ("written", "encoding", "data"),
    [
        ("grüße", Encoding.TEXT, "grüße".encode()),
        # A browser sends CR LF for a line end, whatever was typed: a file with LF has the same signature.
        ("one\r\ntwo\n", Encoding.TEXT, b"one\ntwo\n"),
        ("00fF", Encoding.HEX, b"\x00\xff"),
        ("0x00:ff 7a\n80", Encoding.HEX, b"\x00\xff\x7a\x80"),
        ("AP8=", Encoding.BASE64, b"\x00\xff"),
        (" AP\r\n8= ", Encoding.BASE64, b"\x00\xff"),
    ],
)
def test_what_is_typed_becomes_bytes(written: str, encoding: Encoding, data: bytes) -> None:
    assert decode(written, encoding) == data


@pytest.mark.parametrize(
    ("written", "encoding"),
    [
        ("0f0", Encoding.HEX),
        ("zz", Encoding.HEX),
        ("AP8", Encoding.BASE64),
        ("A*8=", Encoding.BASE64),
        ("ä", Encoding.BASE64),
    ],
)
def test_what_is_no_such_thing_is_said(written: str, encoding: Encoding) -> None:
    with pytest.raises(InvalidError, match=encoding.label if encoding is Encoding.BASE64 else "hex"):
        decode(written, encoding)


@given(st.binary(max_size=64))
def test_bytes_come_back_from_every_writing(data: bytes) -> None:
    assert decode(base64_of(data), Encoding.BASE64) == data
    assert decode(data.hex(), Encoding.HEX) == data
    assert decode(base64.encodebytes(data).decode(), Encoding.BASE64) == data


def test_only_readable_bytes_are_text() -> None:
    assert text_of("zwei\nZeilen\t✓".encode()) == "zwei\nZeilen\t✓"
    assert text_of(b"\xff\xfe") is None
    assert text_of(b"bell \x07") is None
