"""Fixtures of what is published: roots made the way the product makes them."""

from tests.keys.conftest import make_root, move_clock, use_token

__all__ = ["make_root", "move_clock", "use_token"]
