"""How the property tests run: without deadlines, since a busy machine is no bug, and repeatable in CI."""

import os

from hypothesis import settings

settings.register_profile("onedfs", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("onedfs")
