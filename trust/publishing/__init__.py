"""What is signed for clients: the trust list, settings, directives, questions. Signed in the worker, read by all."""
