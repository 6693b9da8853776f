"""What Kafka loses when a partition is without a leader while a transaction ends, and how it is found and mended.

Two brokers: the first decides, the second holds the only copy of a topic. The first cannot tell the second how a
transaction ended; then the second goes away in good order, and comes back.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from pipeline import flow
from pipeline.adapters.kafka import KafkaBrowser, KafkaEnds, KafkaWriter
from pipeline.adapters.local_servers import format_folder, kafka_command
from pipeline.operate.mending import ends_found
from pipeline.ports import Partition
from tests.chaos.real.link import CUT, OPEN, Link
from tests.fixtures.logs import everything, messages
from tests.fixtures.servers import free_ports, separate_listeners, wait_until

PARTITION = Partition(flow.FETCHED, 0)


class Cluster:
    """Two brokers; the first reaches the second through a link."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        first, controller, first_internal, second, second_internal, link = free_ports(6)
        self.first, self.second = f"127.0.0.1:{first}", f"127.0.0.1:{second}"
        self._folder, self._stack = folder, stack
        self.to_second = Link(link, second_internal)
        stack.callback(self.to_second.close)
        command = kafka_command(folder / "first", first, controller)
        separate_listeners(
            folder / "first" / "server.properties", first, first_internal, clients_at=first, broker_at=first_internal
        )
        stack.enter_context(self._running(command, self.first))
        with closing(KafkaWriter(self.first, "whoever")) as writer, closing(KafkaBrowser(self.first)) as browser:
            # Makes the internal topics while there is one broker: they stay on it.
            writer.write([])
            browser.committed("whoever", "__transaction_state")
        self._command = self._second(command, second, second_internal, link)
        self.start()

    def _second(self, command: list[str], port: int, internal: int, link: int) -> list[str]:
        folder = self._folder / "second"
        folder.mkdir()
        properties = folder / "server.properties"
        settings = (self._folder / "first" / "server.properties").read_text()
        own = {
            "process.roles": "broker",
            "node.id": "2",
            "listeners": f"INTERNAL://127.0.0.1:{internal},PLAINTEXT://127.0.0.1:{port}",
            "advertised.listeners": f"INTERNAL://127.0.0.1:{link},PLAINTEXT://127.0.0.1:{port}",
            "log.dirs": str(folder / "log"),
        }
        for name, value in own.items():
            settings, count = re.subn(rf"(?m)^{re.escape(name)}=.*$", f"{name}={value}", settings)
            assert count == 1, name
        properties.write_text(settings)
        meta = (self._folder / "first" / "log" / "meta.properties").read_text()
        cluster = re.search(r"(?m)^cluster\.id=(.+)$", meta)
        assert cluster is not None
        java = command[: command.index("kafka.Kafka")]
        tool = [*java, "kafka.tools.StorageTool", "format", "--no-initial-controllers"]
        format_folder([*tool, "-t", cluster[1], "-c", str(properties)])
        return [*java, "kafka.Kafka", str(properties)]

    @contextmanager
    def _running(self, command: list[str], address: str) -> Iterator["subprocess.Popen[bytes]"]:
        log = self._folder / "kafka.out"
        with log.open("ab") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            with closing(KafkaBrowser(address)) as browser:
                wait_until(lambda: browser.bounds("absent") == {}, process, log)
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def start(self) -> None:
        """Start the second broker."""
        self._process = self._stack.enter_context(self._running(self._command, self.second))

    def end(self) -> None:
        """Let the second broker go in good order."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        made = Cluster(tmp_path, stack)
        with KafkaAdminClient(bootstrap_servers=made.first) as admin:
            admin.create_topics({flow.FETCHED: {"assignments": {0: [2]}}}, wait_for_metadata=True)
        yield made


@pytest.mark.parametrize("commit", [True, False])
def test_an_end_that_the_broker_never_wrote_is_found_and_written_as_it_was_decided(
    cluster: Cluster, commit: bool
) -> None:
    ends = KafkaEnds(cluster.first)
    producer = KafkaProducer(bootstrap_servers=cluster.first, transactional_id="one")
    producer.init_transactions()
    # Decided the other way, by the same producer in the same partition, and ended: that is not what counts.
    producer.begin_transaction()
    producer.send(flow.FETCHED, b"before", partition=0).get(timeout=10)
    (producer.abort_transaction if commit else producer.commit_transaction)()
    producer.begin_transaction()
    producer.send(flow.FETCHED, b"between", partition=0).get(timeout=10)
    producer.send_offsets_to_transaction({TopicPartition(*PARTITION): OffsetAndMetadata(1, "", -1)}, "group")
    assert ends.left_open([flow.FETCHED]) == []  # it is under way
    cluster.to_second.mode = CUT
    (producer.commit_transaction if commit else producer.abort_transaction)()
    cluster.end()
    cluster.to_second.mode = OPEN
    cluster.start()
    with closing(KafkaWriter(cluster.first, "two")) as writer:
        writer.write(messages(flow.FETCHED, 2))

    found = ends_found(ends, [flow.FETCHED])
    assert (found.level, f"{flow.FETCHED}[0] from offset 2 on" in found.detail) == ("error", True)
    decided = "commit" if commit else "abort"
    assert mended(cluster) == [{"topic": flow.FETCHED, "partition": 0, "from": 2, "wrote": decided, "why": ""}]
    assert mended(cluster) == []
    assert ends_found(ends, [flow.FETCHED]).level == "ok"
    with closing(KafkaBrowser(cluster.first)) as browser:
        read = [record.value for record in everything(browser, flow.FETCHED)]
        assert read == [b"between" if commit else b"before", b"v0", b"v1"]
        assert browser.committed("group", flow.FETCHED) == ({PARTITION: 1} if commit else {})


def mended(cluster: Cluster) -> Any:
    """Return what `depeche mend` says."""
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "mend", "--json"],
        env=os.environ | {"DEPECHE_KAFKA_BOOTSTRAP": cluster.first},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(ran.stdout)
