"""The version of the console, which init files name; `pyproject.toml` says the same, and a test compares."""

VERSION = "0.1.0"
