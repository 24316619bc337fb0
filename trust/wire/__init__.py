"""What server and client say to each other: formats only, without Django. docs/client-protocol.md is the text to it."""
