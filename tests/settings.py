"""The console's settings on a state folder of this test process's own: a test never touches the checkout's var/.

In memory where the machine allows: the databases sync every commit, as they do in production.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
_folder = Path(tempfile.mkdtemp(prefix="keystead-tests-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None))
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
(_folder / "static").mkdir()

os.environ["KEYSTEAD_STATE_DIR"] = str(_folder)
os.environ["KEYSTEAD_SERVER_NAME"] = "ts1.example.com"
os.environ["SECRET_KEY"] = "only-for-tests-0123456789-0123456789-0123456789"
# Ordinary tests run jobs themselves (run_jobs); what they send goes nowhere.
os.environ["BROKER_URL"] = "memory://"
os.environ.setdefault("DATABASE_URL", f"sqlite:///{_folder / 'keystead.db'}")

from console.settings import *  # noqa: E402, F403
from console.settings import DATABASES, STORAGES  # noqa: E402

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, not memory: worker processes of a test open it too.
    DATABASES["default"]["TEST"] = {"NAME": str(_folder / "test.db")}
# Pages find their static files where they are written, without collectstatic.
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
