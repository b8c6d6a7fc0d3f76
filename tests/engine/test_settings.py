"""The keys common to all commands: defaults and parsing.

Refusals are in tests/messages.
"""

from pathlib import Path

import pytest
from pydantic import ValidationError

from engine import settings, yamlfile
from engine.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
GROUPS = {"executor": {"name": "local"}, "tracking": {"enabled": True}}


def _shipped() -> dict[str, object]:
    """The keys of conf/config.yaml that belong neither to use cases nor to Hydra."""
    return {
        key: value
        for key, value in yamlfile.load(ROOT / "conf" / "config.yaml").items()
        if key not in ("defaults", "hydra")
    }


def _parsed(**keys: object) -> Settings:
    return settings.parse({**_shipped(), **GROUPS, **keys}, "the command line")


def test_every_key_of_the_shipped_configuration_has_its_type_and_every_type_its_key():
    assert Settings.model_fields.keys() == _shipped().keys() | GROUPS.keys()


def test_the_shipped_keys_of_a_cluster_are_the_defaults():
    assert _parsed().kubeflow == settings.Kubeflow()
    assert yamlfile.load(ROOT / "conf" / "config.yaml")["kubeflow"].keys() == (
        settings.Kubeflow.model_fields.keys()
    )


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("s3://bucket/p/", "s3://bucket/p"),
        ("/data/", "/data"),
        ("file:///data", "/data"),
        ("/", "/"),
    ],
)
def test_a_data_root_is_written_in_one_way(given, root):
    assert settings.Kubeflow(data_root=given).data_root == root


@pytest.mark.parametrize("key", ["poll_s", "timeout_s"])
@pytest.mark.parametrize("value", [0, 1e300, float("nan")])
def test_a_time_of_the_cluster_is_bounded(key, value):
    with pytest.raises(ValidationError):
        settings.Kubeflow(**{key: value})


@pytest.mark.parametrize("label", ["gpu", "=x", "a b=c", "a=b c"])
def test_a_label_is_a_key_and_a_value(label):
    with pytest.raises(ValidationError, match="KEY=VALUE"):
        settings.Kubeflow(gpu_label=label)


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("conf/tracking/*.yaml")), ids=lambda path: path.stem
)
def test_the_shipped_ways_to_track_are_well_formed(path):
    assert _parsed(tracking=yamlfile.load(path)).tracking.enabled == (path.stem != "none")


@pytest.mark.parametrize("key", ["until", "stage_packages"])
def test_a_single_word_is_a_list_of_one(key):
    assert getattr(_parsed(**{key: "a"}), key) == ("a",) == getattr(_parsed(**{key: ["a"]}), key)


def test_an_executor_may_have_keys_of_its_own():
    assert _parsed(executor={"name": "docker", "image": "x"}).executor.model_extra == {"image": "x"}


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        _parsed().fail_fast = True


@pytest.mark.parametrize("key", ["namespace", "volume", "secret"])
@pytest.mark.parametrize("name", ["Bad Name", "bad_name", "-a", "a/b", "", "x" * 254])
def test_the_name_of_a_kubernetes_object_is_one_that_kubernetes_accepts(key, name):
    assert getattr(settings.Kubeflow(**{key: "team-7.data"}), key) == "team-7.data"
    with pytest.raises(ValidationError, match="is not a name in Kubernetes"):
        settings.Kubeflow(**{key: name})


@pytest.mark.parametrize("scheme", ["s3", "gs"])
@pytest.mark.parametrize("name", ["Bad Bucket", "Bucket", "ab", "-ab", "ab-", "a..b", "x" * 223])
def test_the_name_of_a_bucket_follows_the_rules_of_its_service(scheme, name):
    with pytest.raises(
        ValidationError, match=r"is not the name of a bucket; write 3 to .* letters"
    ):
        settings.Kubeflow(data_root=f"{scheme}://{name}/p")


def test_only_google_has_underscores_and_long_names_in_buckets():
    for root in ("gs://my_bucket", f"gs://{'x' * 100}.example.org/p"):
        assert settings.Kubeflow(data_root=root).data_root == root
        with pytest.raises(ValidationError, match="bucket"):
            settings.Kubeflow(data_root=f"s3{root[2:]}")


@pytest.mark.parametrize("root", ["s3://", "gs:///p"])
def test_a_bucket_has_a_name(root):
    with pytest.raises(ValidationError, match=r"it names no bucket; write .*://BUCKET/PREFIX"):
        settings.Kubeflow(data_root=root)
