"""The reference client of docs/client-protocol.md. It stands alone: no Django, nothing of the console."""
