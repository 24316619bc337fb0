"""Run one measurement in this process and write its figures: `python -m bench.one NAME FILE`."""

import importlib
import json
import sys
from pathlib import Path

if __name__ == "__main__":
    module = importlib.import_module(f"bench.{sys.argv[1]}")
    result = {"figures": module.measure(), "limits": getattr(module, "LIMITS", {})}
    Path(sys.argv[2]).write_text(json.dumps(result))
