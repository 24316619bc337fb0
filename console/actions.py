"""Names of what the top layer records."""

LABELS = {
    "access.refused": "Page refused",
    "support.bundle-made": "Support bundle made",
    "support.bundle-downloaded": "Support bundle downloaded",
}
