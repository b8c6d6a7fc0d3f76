"""The generated sample of readings."""

from stages.tabular.table_sample import HEADER, table_sample


def _text(folder, **params):
    table_sample(folder, **params)
    return (folder / "pumps.csv").read_text(encoding="utf-8")


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    first = _text(tmp_path / "a", seed=3)
    assert first == _text(tmp_path / "b", seed=3) != _text(tmp_path / "c", seed=4)


def test_it_has_readings_with_gaps_and_a_state(tmp_path):
    header, *rows = [line.split(",") for line in _text(tmp_path / "a").splitlines()]
    assert tuple(header) == HEADER and len(rows) == 1500
    assert {row[-1] for row in rows} == {"ok", "worn", "blocked"}
    missing = sum(row.count("") for row in rows)
    assert 0.02 < missing / (6 * len(rows)) < 0.04
    assert len({row[0] for row in rows}) == len({row[1] for row in rows}) == 1500
