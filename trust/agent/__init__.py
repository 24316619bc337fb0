"""The reference client (AMB-05): it enrols, registers, follows every rotation. No Django; docs/client-protocol.md."""

VERSIONS = {314: "7.2.0", 315: "7.4.0"}
"""What the client says it is, by protocol."""
