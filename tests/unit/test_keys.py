"""The signing key: made once, read by its owner only, and told apart by its id."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from resonate_nb.errors import UsageError
from resonate_nb.values.keys import KEY_FILE_VARIABLE, SigningKey, key_path, load_key


@pytest.fixture
def key_file(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "key"
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(path))
    return path


def test_a_signature_holds_for_its_message_and_its_key_only():
    key, other = SigningKey(b"a" * 32), SigningKey(b"b" * 32)

    signature = key.sign(b"message")

    assert key.verifies(b"message", signature)
    assert not key.verifies(b"massage", signature)
    assert not other.verifies(b"message", signature)
    assert not key.verifies(b"message", signature[:-1])


def test_the_id_is_sixteen_digits_and_gives_nothing_of_the_secret():
    secret = bytes(range(200))

    key = SigningKey(secret)

    assert len(key.id) == 16
    assert bytes.fromhex(key.id) not in secret
    assert key.id == SigningKey(secret).id != SigningKey(secret[1:]).id
    assert secret.hex() not in repr(key)


def test_a_short_secret_is_refused():
    with pytest.raises(UsageError, match="at least 32 bytes"):
        SigningKey(b"a" * 31)


def test_the_first_use_makes_a_key_that_the_second_finds(key_file):
    first = load_key()

    assert load_key().id == first.id
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert key_file.parent.stat().st_mode & 0o777 == 0o700
    assert list(key_file.parent.iterdir()) == [key_file]


def test_processes_that_make_the_key_at_once_agree_on_one(key_file):
    program = "from resonate_nb.values.keys import load_key; print(load_key().id)"

    def start(_):
        return subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
        ).stdout

    with ThreadPoolExecutor(4) as pool:
        ids = set(pool.map(start, range(8)))

    assert ids == {load_key().id + "\n"}
    assert list(key_file.parent.iterdir()) == [key_file]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
def test_a_key_that_others_can_read_is_refused_with_the_way_out(key_file):
    load_key()
    key_file.chmod(0o640)

    with pytest.raises(UsageError, match="chmod 600") as refusal:
        load_key()

    assert str(key_file) in str(refusal.value)


def test_a_truncated_key_is_refused_and_stays_as_it_is(key_file):
    load_key()
    key_file.write_bytes(b"short\n")

    with pytest.raises(UsageError, match="has 5 bytes"):
        load_key()

    assert key_file.read_bytes() == b"short\n"


def test_a_folder_in_the_place_of_the_key_is_a_clear_error(key_file):
    key_file.mkdir(parents=True, mode=0o700)

    with pytest.raises(UsageError, match=KEY_FILE_VARIABLE):
        load_key()


def test_without_the_variable_the_key_stands_in_the_users_configuration(monkeypatch, tmp_path):
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    assert key_path().parent.name == "resonate-nb"
    if sys.platform == "linux":
        assert key_path().parent.parent == tmp_path
