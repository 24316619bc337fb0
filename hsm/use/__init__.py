"""Cryptography with a key from its page: who may, what it can do, and how the data stay between browser and worker."""
