"""Features of sentences: reproducible, of fixed size, and the same after writing and reading."""

import hashlib

import numpy as np
import pytest

from engine.stage import StageError
from stages.tasks.text.features import FILES, UNIT, Features

SENTENCES = ["Play some music", "play a song!", "Was kostet das?", "播放音乐", "🍕 please"]


@pytest.fixture(scope="module")
def features():
    return Features.fit(SENTENCES)


def test_the_order_of_the_sentences_has_no_influence(features):
    assert Features.fit(SENTENCES[::-1]) == features


def test_a_vector_does_not_change_by_writing_and_reading(features, tmp_path):
    features.write(tmp_path / "features")
    read = Features.read(tmp_path / "features")
    assert read == features
    assert np.array_equal(read.vectors(SENTENCES), features.vectors(SENTENCES))


def test_vocabulary_and_vectors_are_the_same_on_every_platform(features, tmp_path):
    features.write(tmp_path)
    made = (tmp_path / FILES[0]).read_bytes(), features.vectors(SENTENCES).tobytes()
    assert [hashlib.sha256(one).hexdigest()[:8] for one in made] == ["b5bab307", "4ed608bb"]


def test_equal_sentences_have_equal_vectors(features):
    assert np.array_equal(features.vector("PLAY  some Music"), features.vector("play some music"))


def test_a_vector_has_length_one_in_units(features):
    values = np.array(list(features.values("play some music").values()))
    assert (values**2).sum() == pytest.approx(1)
    length = np.linalg.norm(features.vector("play some music").astype(float))
    assert length == pytest.approx(UNIT, rel=0.02)


def test_each_kind_of_feature_weighs_the_same(features):
    values = features.values("play some music")
    by_kind = {
        kind: sum(v**2 for at, v in values.items() if features.names[at][0] == kind)
        for kind in "wpc"
    }
    assert list(by_kind.values()) == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("text", ["", "   ", "\u200b", "ξξξ"])
def test_a_text_without_a_known_feature_is_all_zero(features, text):
    assert not features.vector(text).any()


@pytest.mark.parametrize("text", ["音乐", "🍕", "kosten", "songs"])
def test_parts_of_known_sentences_are_recognised(features, text):
    assert features.vector(text).any()


def test_the_most_frequent_features_are_kept():
    few = Features.fit(["a b", "a c", "a d"], size=3)
    assert few.names == ("c a", "c a ", "ca ")
    assert few.vector("z").tolist() == [0, 0, 0]


def test_a_rare_feature_weighs_more(features):
    weight = dict(zip(features.names, features.weights, strict=True))
    assert weight["wsome"] > weight["wplay"]


def test_the_beginning_of_a_sentence_is_a_feature(features):
    assert "p play" in features.names


@pytest.mark.parametrize("sentences", [[], ["", " \u200b "]])
def test_sentences_without_text_are_refused(sentences):
    with pytest.raises(StageError, match="contain no text: add sentences with words"):
        Features.fit(sentences)


def test_files_that_do_not_fit_together_are_refused(features, tmp_path):
    features.write(tmp_path)
    np.save(tmp_path / "weights.npy", np.ones(3, np.float16))
    with pytest.raises(StageError, match=r"lines, but weights.npy has 3 weights.*: package"):
        Features.read(tmp_path)


def _damaged_weights(change):
    return lambda folder: np.save(folder / "weights.npy", change(np.load(folder / "weights.npy")))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "vocabulary.txt").write_bytes(b"w\xff\n"),
        lambda folder: (folder / "weights.npy").write_bytes(b""),
        lambda folder: (folder / "weights.npy").write_bytes(b"x" * 100),
        lambda folder: (
            np.savez(folder / "x.npz", a=[1]) or (folder / "x.npz").rename(folder / "weights.npy")
        ),
        _damaged_weights(lambda weights: weights[0]),
        _damaged_weights(lambda weights: weights * np.nan),
        _damaged_weights(lambda weights: weights.astype(str)),
    ],
)
def test_damaged_files_are_refused(features, tmp_path, damage):
    features.write(tmp_path)
    damage(tmp_path)
    with pytest.raises(StageError, match="package the model again"):
        Features.read(tmp_path)
