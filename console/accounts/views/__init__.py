"""Pages of users, roles and one's own account."""
