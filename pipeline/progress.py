"""How far a consumer group is. Offsets have holes (transaction markers), so records are counted, not subtracted."""

from collections.abc import Mapping
from itertools import islice

from pipeline.ports import LogBrowser, Partition


def ends(browser: LogBrowser, topic: str) -> dict[Partition, int]:
    """Return where each partition of the topic ends now."""
    return {partition: end for partition, (_, end) in browser.bounds(topic).items()}


def remaining(
    browser: LogBrowser, positions: Mapping[Partition, int], until: Mapping[Partition, int], *, most: int = 1_000
) -> int:
    """Return how many committed records lie between `positions` and `until`, counting no further than `most`."""
    count = 0
    for partition, end in until.items():
        start = positions.get(partition, 0)
        if start < end and count < most:
            count += sum(1 for _ in islice(browser.read(partition, start, end), most - count))
    return count


def has_passed(browser: LogBrowser, group: str, until: Mapping[Partition, int]) -> bool:
    """Tell whether the group has committed every record before `until`."""
    topics = {partition.topic for partition in until}
    positions: dict[Partition, int] = {}
    for topic in topics:
        positions |= browser.committed(group, topic)
    return remaining(browser, positions, until, most=1) == 0
