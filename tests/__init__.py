"""Tests: none of them reaches a network, and all share one cache of exported models."""

import os
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".pytest_cache"

# Before anything imports the libraries that read them.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["YOLO_OFFLINE"] = "true"
# Not in each test's home, nor in the user's own.
os.environ["LAPEL_MODEL_CACHE"] = str(CACHE / "models")
