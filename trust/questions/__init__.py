"""Questions to clients: asked by a user, signed in the worker, answered by clients that verified them (AMB-03)."""
