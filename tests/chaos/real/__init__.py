"""The line under seeded faults on a real Kafka and a real S3 server, its workers real processes.

`python -m tests.chaos.real --runs 300` makes runs; `plan.py` says what a seed does, `line.py` does it, `judge.py` tells
whether anything was lost or doubled.
"""
