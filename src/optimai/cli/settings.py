"""What comes from the environment: where things are kept, and nothing else."""

import os
from pathlib import Path


def home() -> Path:
    """OPTIMAI_HOME, or ~/.optimai: keys, tokens, databases."""
    return Path(os.environ.get("OPTIMAI_HOME") or usual())


def usual() -> Path:
    """Where that is for whoever sets nothing."""
    return Path.home() / ".optimai"


def token() -> str:
    """OPTIMAI_TOKEN: for commands that speak with a network that is not your own. Never an argument."""
    return os.environ.get("OPTIMAI_TOKEN", "")


def child_environment() -> dict[str, str]:
    """For processes of ours: as it is, and nothing of theirs phones home."""
    return {**os.environ, "DO_NOT_TRACK": "1"}


def nothing_phones_home() -> None:
    """For libraries that this process is going to import."""
    os.environ["DO_NOT_TRACK"] = "1"
