"""Pages of the HSM app: `tokens` for the integration of root keys, the others for groups and their objects."""
