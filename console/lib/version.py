"""The version of the console; `pyproject.toml` says the same."""

VERSION = "0.1.0"
