"""The user's secret key, which signs every stored value that could execute code."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from resonate_nb.errors import UsageError

KEY_FILE_VARIABLE = "RESONATE_NB_KEY_FILE"
SHORTEST = 32  # bytes of a secret
LONGEST_BLAKE2B_KEY = 64
OTHERS = 0o077  # permission bits of everybody but the owner


class SigningKey:
    """A secret that signs messages; its `id` may be shown to anybody.

    >>> key = SigningKey(b"an example of thirty-two bytes..")
    >>> key.verifies(b"text", key.sign(b"text")), key.verifies(b"other", key.sign(b"text"))
    (True, False)
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SHORTEST:
            raise UsageError(f"a signing key needs at least {SHORTEST} bytes, this one has {len(secret)}")
        self._secret = secret if len(secret) <= LONGEST_BLAKE2B_KEY else hashlib.blake2b(secret).digest()
        self.id = hashlib.blake2b(
            b"id", key=self._secret, digest_size=8, person=b"resonate_nb id"
        ).hexdigest()

    def __repr__(self) -> str:
        return f"SigningKey(id={self.id!r})"

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 32 bytes."""
        return hashlib.blake2b(message, key=self._secret, digest_size=32).digest()

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Return whether this key signed the message, in a time that tells nothing about the answer."""
        return hmac.compare_digest(self.sign(message), signature)


def load_key() -> SigningKey:
    """Return the user's key, making it on first use.

    It stands in the file that RESONATE_NB_KEY_FILE names, else in the user's configuration folder.

    Raises
    ------
    UsageError
        The file can't be read or made, others may read it, or it is too short.
    """
    path = key_path()
    try:
        if not path.exists():
            _make(path)
        return SigningKey(_read(path))
    except OSError as error:
        raise UsageError(
            f"the signing key {path} can't be used: {error.strerror or error}. "
            f"Name another file with {KEY_FILE_VARIABLE}"
        ) from error


def key_path() -> Path:
    """Return where the user's key stands, whether or not it was made already."""
    named = os.environ.get(KEY_FILE_VARIABLE)
    if named:
        return Path(named).expanduser()
    from platformdirs import user_config_path

    return user_config_path("resonate-nb", appauthor=False) / "signing-key"


def _read(path: Path) -> bytes:
    if os.name == "posix" and path.stat().st_mode & OTHERS:
        raise UsageError(
            f"the signing key {path} can be read or changed by others, so its signatures prove nothing: "
            f"`chmod 600 {path}` if you trust them, else delete it and a new one is made"
        )
    secret = path.read_bytes().strip()
    if len(secret) < SHORTEST:
        raise UsageError(
            f"the signing key {path} has {len(secret)} bytes and needs at least {SHORTEST}: "
            f"restore it from a backup, or delete it and a new one is made"
        )
    return secret


def _make(path: Path) -> None:
    """Write a new key whole; of two processes that do this at once, the first one's key stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".signing-key-", dir=path.parent)  # readable by the owner only
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(SHORTEST) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(name, path)  # unlike a rename, this never replaces what is there
    finally:
        Path(name).unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # elsewhere folders can't be opened
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
