"""Trust between the servers and those who depend on their keys: clients today."""
