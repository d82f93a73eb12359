"""Folders that bring other versions of packages to the kernels that find them first."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.installing import alone


def overlay(*packages):
    """Return the folder with these packages, which stays in the test environment."""
    folder = Path(sys.prefix) / "overlays" / "+".join(packages)
    with alone():
        if not folder.exists():
            _install(packages, folder)
    return folder


def _install(packages, folder):
    with tempfile.TemporaryDirectory(dir=sys.prefix) as made:
        install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", made]
        subprocess.run([sys.executable, "-m", "pip", *install, *packages], check=True, timeout=300)
        folder.parent.mkdir(exist_ok=True)
        shutil.copytree(made, folder)
