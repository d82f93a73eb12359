"""A promise remembers its failed attempts in a tag: bounded, and readable whatever stands there."""

from resonate_nb.corridor.failures import NO_FAILURES, TAG, Failures


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def test_what_was_written_is_read_again():
    failures = NO_FAILURES.and_then(LookupError("gone"), at=1, due=5).and_then(OSError(), at=6, due=9)
    again = Failures.of(failures.tags)
    assert again == failures
    assert (again.total, again.series, again.due) == (2, 2, 9)
    assert [str(each) for each in again.recent] == ["LookupError: gone", "OSError"]


def test_a_series_without_a_next_attempt_is_over():
    failures = NO_FAILURES.and_then(LookupError("gone"), at=1, due=5).and_then(OSError(), at=6, due=None)
    assert (failures.total, failures.series, failures.due) == (2, 0, None)


def test_the_history_is_bounded():
    failures = NO_FAILURES
    for number in range(100):
        failures = failures.and_then(ValueError("x" * 10_000), at=number, due=None)
    assert failures.total == 100
    assert len(failures.tags[TAG]) < 10_000
    assert failures.recent[-1].at == 99


def test_any_error_can_be_remembered():
    errors = [Mute(), ValueError("a\0b"), ValueError("\ud800"), KeyError("\x1b[31m")]
    for error in errors:
        failures = NO_FAILURES.and_then(error, at=1, due=None)
        assert Failures.of(failures.tags) == failures
        assert all(text.isprintable() or "\x1b" in text for text in failures.tags.values())


def test_another_clients_tag_is_taken_for_none():
    for text in ("", "{}", "[1]", "[1, 2, 3, [4]]", "null"):
        assert Failures.of({TAG: text}) == NO_FAILURES
