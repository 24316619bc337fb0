"""Root keys for tests of questions, and where they are made."""

from tests.keys.conftest import make_root, move_clock, use_token

__all__ = ["make_root", "move_clock", "use_token"]
