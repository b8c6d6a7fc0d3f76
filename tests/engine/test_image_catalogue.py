"""The source of the images' Debian: determined once, then the same for these outputs."""

from types import SimpleNamespace

import pytest

from engine import image_catalogue, layout


@pytest.fixture
def request_for(tmp_path):
    """Return the used parts of a request: its outputs folder and the setting `base`."""

    def make(base: str) -> SimpleNamespace:
        return SimpleNamespace(settings=SimpleNamespace(base=base), outputs=tmp_path / "outputs")

    return make


@pytest.mark.parametrize("base", ["bootstrap", "registry"])
def test_a_base_that_the_user_chose_is_used_and_nothing_is_written(request_for, base, tmp_path):
    assert image_catalogue.base_of(request_for(base)) == base
    assert not (tmp_path / "outputs").exists()


def test_auto_is_bootstrap_if_the_registry_does_not_answer(request_for, monkeypatch):
    monkeypatch.setattr(image_catalogue, "REGISTRY", "registry.invalid")
    assert image_catalogue.base_of(request_for("auto")) == "bootstrap"


def test_auto_stays_what_it_was_for_these_outputs(request_for, monkeypatch):
    asked = request_for("auto")
    layout.make_outputs(asked.outputs)
    (layout.store_dir(asked.outputs) / "base").write_text("registry", encoding="ascii")
    monkeypatch.setattr(image_catalogue, "REGISTRY", "registry.invalid")
    assert image_catalogue.base_of(asked) == "registry"
