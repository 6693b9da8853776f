"""Fixtures of all tests."""

from hypothesis import settings

pytest_plugins = ["tests.fixtures.servers", "tests.fixtures.secure_kafka", "tests.fixtures.secure_s3"]

# How long an example takes says nothing on a machine that other work shares; what must be fast has a test that says so.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")
