"""Sealed bytes: damage is told from a foreign signature, and neither passes."""

import pytest

from resonate_nb.errors import DamagedValue, UntrustedValue
from resonate_nb.promise import Buffer
from resonate_nb.values.container import Kind, seal, unseal
from resonate_nb.values.keys import SigningKey

KEY = SigningKey(b"k" * 32)
OTHER = SigningKey(b"o" * 32)
BUFFERS = (Buffer("ab" * 16, 7, lambda: memoryview(b"")),)
SEALED = seal([b"stream", b"", b"facts"], key=KEY, id="f@1/a", kind=Kind.VALUE, buffers=BUFFERS)


def opened(sealed=SEALED, *, key=KEY, id="f@1/a", kind=Kind.VALUE, buffers=BUFFERS):
    return [bytes(part) for part in unseal(sealed, key=key, id=id, kind=kind, buffers=buffers)]


def test_the_parts_come_back():
    assert opened() == [b"stream", b"", b"facts"]


@pytest.mark.parametrize("place", range(len(SEALED)))
def test_a_flipped_bit_anywhere_is_damage(place):
    flipped = bytearray(SEALED)
    flipped[place] ^= 1 << place % 8

    with pytest.raises(DamagedValue):
        opened(bytes(flipped))


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_a_truncated_value_is_damage(length):
    with pytest.raises(DamagedValue):
        opened(SEALED[:length])


def test_a_value_that_was_moved_to_another_id_is_not_trusted():
    with pytest.raises(UntrustedValue, match="another promise"):
        opened(id="f@1/b")


def test_a_value_that_another_key_signed_is_not_trusted_and_both_keys_are_named():
    with pytest.raises(UntrustedValue) as refusal:
        opened(key=OTHER)

    assert KEY.id in str(refusal.value)
    assert OTHER.id in str(refusal.value)


def test_a_value_is_never_taken_for_an_error():
    with pytest.raises(UntrustedValue):
        opened(kind=Kind.ERROR)


def test_a_forged_value_with_a_fitting_checksum_and_our_keys_id_is_not_trusted():
    impostor = SigningKey(b"i" * 32)
    impostor.id = KEY.id

    forged = seal([b"evil"], key=impostor, id="f@1/a", kind=Kind.VALUE, buffers=())

    with pytest.raises(UntrustedValue, match="signature"):
        opened(forged, buffers=())


@pytest.mark.parametrize("buffers", [(), (*BUFFERS, *BUFFERS), (Buffer("cd" * 16, 7, None),)])
def test_another_list_of_buffers_is_damage(buffers):
    with pytest.raises(DamagedValue):
        opened(buffers=buffers)
