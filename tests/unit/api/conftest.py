"""The small world of the pipeline's tests."""

from tests.unit.pipeline.conftest import World, built, world

__all__ = ["World", "built", "world"]
