"""Security objects: made, imported, changed, rotated and deleted, as far as the group's policy reaches.

What the pages call lies in `generation`, `importing`, `permissions`, `activation`, `removal`, `rotation` and `tags`:
each writes rows, a job and an entry. What calls a device lies in `making`, `changing` and `reconciler`, worker only.
"""
