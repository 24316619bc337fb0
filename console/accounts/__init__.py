"""Users, roles, sign-in and recent sign-in."""
