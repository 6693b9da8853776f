from pipeline.adapters.kafka.transaction_log import PREPARE_COMMIT, read
from pipeline.ports import Partition

# Written by Kafka 4.3.1 for a transaction in a topic and in the group positions.
SECOND = bytes.fromhex(
    "0001 0000000000000000 0000 0000ea60 02 03 0274 02 00000000 00"
    "13 5f5f636f6e73756d65725f6f666673657473 02 00000003 00 000001a22041e4d9 000001a22041e268 01 00 08 0000000000000000"
)
# The same in the encoding of version 0, as the brokers before transaction.version 2 write it.
FIRST = bytes.fromhex(
    "0000 0000000000000000 0000 0000ea60 02 00000002 0001 74 00000001 00000000"
    "0012 5f5f636f6e73756d65725f6f666673657473 00000001 00000003 000001a22041e4d9 000001a22041e268"
)


def test_a_decision_names_its_producer_and_its_partitions_in_both_encodings() -> None:
    partitions = {Partition("t", 0), Partition("__consumer_offsets", 3)}
    for value in (FIRST, SECOND):
        note = read(value)
        assert note is not None
        assert (note.producer_id, note.producer_epoch, note.state) == (0, 0, PREPARE_COMMIT)
        assert note.partitions == partitions


def test_what_is_of_a_later_version_or_cut_short_is_no_decision() -> None:
    assert read(b"\x00\x02" + SECOND[2:]) is None
    assert all(read(SECOND[:end]) is None for end in range(37))
    assert all(read(FIRST[:end]) is None for end in range(60))
