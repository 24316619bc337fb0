"""Tests of rows that no other test shows alone. They use the fixtures of the key tests: real roots, real tokens."""

from tests.keys.conftest import make_root, move_clock, use_token

__all__ = ["make_root", "move_clock", "use_token"]
