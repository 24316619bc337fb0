"""Infrastructure configuration files: what new clients begin with, and the credentials in them."""
