"""New entries of a container's log, whatever the engine has rotated away."""

from engine.containers.log_entries import Seen

LINE = [("t1", b"a"), ("t1", b"b"), ("t1", b"c")]  # the pieces of a long line


def test_at_first_all_entries_are_new():
    data, seen = Seen().new([("t0", b"x\n"), *LINE])
    assert (data, seen) == (b"x\nabc", Seen("t1", 3, b"c"))


def test_only_later_entries_are_new_wherever_the_log_begins():
    seen = Seen("t1", 3, b"c")
    assert seen.new([("t0", b"x\n"), *LINE, ("t2", b"d\n")]) == (b"d\n", Seen("t2", 1, b"d\n"))
    assert seen.new([*LINE, ("t1", b"\n")]) == (b"\n", Seen("t1", 4, b"\n"))


def test_a_log_without_news_changes_nothing():
    seen = Seen("t1", 3, b"c")
    assert seen.new(LINE) == seen.new([]) == (b"", seen)


def test_after_a_rotation_the_rest_of_a_long_line_is_not_lost():
    seen = Seen("t1", 3, b"c")
    for kept in ([("t1", b"c"), ("t1", b"d")], [("t1", b"b"), ("t1", b"c"), ("t1", b"d")]):
        data, after = seen.new([*kept, ("t2", b"last")])
        assert data.endswith(b"dlast") and after == Seen("t2", 1, b"last")


def test_after_a_rotation_entries_from_before_the_last_one_are_not_repeated():
    data, _ = Seen("t1", 3, b"c").new([("t0", b"x\n"), ("t2", b"d\n")])
    assert data == b"d\n"
