"""Fixtures of all tests."""

pytest_plugins = ["tests.fixtures.servers", "tests.fixtures.secure_kafka", "tests.fixtures.secure_s3"]
