"""`python -m trust.agent --dir D --init keystead-init.dat`: run the reference client until SIGTERM."""

import sys

from trust.agent.command import main

if __name__ == "__main__":
    sys.exit(main())
