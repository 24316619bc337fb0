"""The local run: everything `./run` starts on one machine, and nothing that a production host needs.

Standard library only and no Django, so that the first line appears at once and a broken console can still say why.
On a production host systemd does this work (deploy/).
"""
