"""The PKI log of a server: text files in its log folder, for whoever looks into a key or TLS problem.

    pkilog.write("root-created", component="keys.saga", subject=root.name, result="ok")

One line each: time, level, component, event, key or peer, result. It never fails its caller, and holds no
secret.
"""

from console.pkilog.line import Level
from console.pkilog.writer import Log, write

__all__ = ["Level", "Log", "write"]
