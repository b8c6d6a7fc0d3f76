"""Videos and pictures for sources."""

from tests.stages.media.conftest import make_video  # noqa: F401 (a fixture)
