"""The peer of the archive: a loop that copies values into objects of JSON lines and promises nothing.

Run as a process of its own, with the settings in the environment: `python -m benchmarks.copying`.
"""

import time
from uuid import uuid4

import boto3
from botocore.config import Config

from pipeline import flow
from pipeline.adapters.kafka.access import KafkaAccess
from pipeline.adapters.kafka.connection import consumer
from pipeline.settings import Settings

_OBJECT_BYTES = 64 * 2**20
_QUIET_S = 3.0


def main() -> None:
    """Copy everything there is."""
    s = Settings.from_env()
    assert s.s3_access_key is not None
    assert s.s3_secret_key is not None
    client = boto3.client(
        "s3",
        endpoint_url=s.s3_endpoint,
        region_name=s.s3_region,
        aws_access_key_id=s.s3_access_key.get_secret_value(),
        aws_secret_access_key=s.s3_secret_key.get_secret_value(),
        config=Config(s3={"addressing_style": "path"}),
    )
    reader = consumer(KafkaAccess.of(s.kafka_bootstrap), group_id=f"copy-{uuid4().hex}")
    reader.subscribe([flow.ENRICHED])
    lines: list[bytes] = []
    size, heard = 0, time.monotonic()
    while time.monotonic() - heard < _QUIET_S:
        for batch in reader.poll(timeout_ms=500, max_records=500).values():
            heard = time.monotonic()
            lines += [record.value for record in batch]
            size += sum(len(record.value) for record in batch)
        if size >= _OBJECT_BYTES:
            client.put_object(Bucket=s.s3_bucket, Key=f"copy/{uuid4().hex}.jsonl", Body=b"\n".join(lines))
            lines, size = [], 0
    if lines:
        client.put_object(Bucket=s.s3_bucket, Key=f"copy/{uuid4().hex}.jsonl", Body=b"\n".join(lines))
    reader.close()


if __name__ == "__main__":
    main()
