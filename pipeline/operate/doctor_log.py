"""Does the broker keep what exactly-once from log to log rests on, and how safe is the log itself?"""

from collections.abc import Callable, Mapping
from functools import partial

from pipeline.errors import DepecheError
from pipeline.operate.doctor import Finding, Level
from pipeline.operate.doctor_store import clock_found
from pipeline.ports import BrokerProbe, TopicFacts

GROUP_POSITIONS = "__consumer_offsets"
INTERNAL = (GROUP_POSITIONS, "__transaction_state")

_DAY_MS = 86_400_000
# A worker that was away for longer comes back under an id the broker forgot: it is then not fenced by its successor.
_SHORTEST_MEMORY_MS = _DAY_MS

Said = tuple[Level, str]


def broker_findings(
    probe: BrokerProbe, wanted: Mapping[str, Mapping[str, str]], *, transaction_timeout_ms: int
) -> list[Finding]:
    """Return one finding for each thing asked of the broker and of each topic in `wanted` (name → settings)."""
    out = [_looked("Kafka transactions", lambda: _transactions(probe, transaction_timeout_ms))]
    try:
        found = probe.topics([*wanted, *INTERNAL])
        brokers, _ = probe.brokers()
    except DepecheError as error:
        return [*out, Finding("Kafka topics", "error", str(error))]
    for topic, settings in wanted.items():
        out.append(_looked(f"topic {topic}", partial(_topic, found.get(topic), settings, brokers)))
    for topic in INTERNAL:
        # A broker makes these at the first use; `depeche up` has used both.
        facts = found.get(topic)
        if facts is not None:
            out.append(_looked(f"topic {topic}", partial(_topic, facts, {}, brokers)))
    return [*out, _looked("Kafka clock", lambda: _clock(probe))]


def weakest_replication(probe: BrokerProbe, topics: Mapping[str, object]) -> tuple[int, int]:
    """Return fewest replicas and lowest `min.insync.replicas` of our topics and the internal ones."""
    found = probe.topics([*topics, *INTERNAL]).values()
    return min((f.replicas for f in found), default=0), min((_least_in_sync(f) for f in found), default=0)


def _looked(subject: str, look: Callable[[], Said]) -> Finding:
    try:
        return Finding(subject, *look())
    except DepecheError as error:
        return Finding(subject, "error", str(error))


def _transactions(probe: BrokerProbe, timeout_ms: int) -> Said:
    settings = probe.settings()
    longest = int(settings.get("transaction.max.timeout.ms", "900000"))
    if longest < timeout_ms:
        return "error", (
            f"transaction.max.timeout.ms is {longest}, our transactions ask for {timeout_ms}: no worker can write;"
            f" set it to {timeout_ms} or more on the brokers"
        )
    memory = int(settings.get("transactional.id.expiration.ms", "604800000"))
    if memory < _SHORTEST_MEMORY_MS:
        return "warning", (
            f"the broker forgets an idle worker's id after {memory / 3_600_000:.1f} h; set"
            " transactional.id.expiration.ms to a day or more, or an old worker that comes back is not fenced"
        )
    _, protocol = probe.brokers()
    if protocol < 2:
        return "warning", (
            "the brokers speak the first transaction protocol, in which a late message can slip into the next"
            " transaction (KIP-890); upgrade to Kafka 4 and transaction.version 2"
        )
    return "ok", "the brokers check what joins a transaction (KIP-890), and remember a worker's id long enough"


def _clock(probe: BrokerProbe) -> Said:
    try:
        return clock_found("Kafka", probe.ahead())
    except DepecheError as error:
        # It takes the right to create a topic, which whoever only looks need not have.
        return "warning", f"the broker's clock could not be read: {error}"


def _topic(facts: TopicFacts | None, wanted: Mapping[str, str], brokers: int) -> Said:
    if facts is None:
        return "error", "it is missing; `depeche prepare` or your administrator creates it"
    wrong = [
        f"{name} is {facts.settings.get(name)}, not {value}"
        for name, value in wanted.items()
        if not _fits(name, facts.settings.get(name, ""), value)
    ]
    if wrong:
        return "error", f"{'; '.join(wrong)}: set it with kafka-configs.sh, or records are refused, lost or misdated"
    if facts.lagging:
        return (
            "warning",
            f"{facts.lagging} of {facts.partitions} partitions have lagging replicas; look at the brokers",
        )
    if facts.settings.get("unclean.leader.election.enable") == "true":
        return "warning", "a replica that lags may become leader and lose records: unclean.leader.election.enable=false"
    least = _least_in_sync(facts)
    if facts.replicas < 2:
        remedy = "recreate it with three" if brokers >= 3 else "three brokers carry three replicas"
        return "warning", f"one replica: a lost disk loses it; {remedy} (DEPECHE_KAFKA_REPLICATION)"
    if least < 2:
        return "warning", f"{facts.replicas} replicas, but min.insync.replicas is {least}: set it to 2"
    if least >= facts.replicas:
        return "warning", f"min.insync.replicas is {least} of {facts.replicas}: one broker down stops all writing"
    return "ok", f"{facts.partitions} partitions, {facts.replicas} replicas of which {least} must have a record"


def _fits(name: str, found: str, wanted: str) -> bool:
    if name == "max.message.bytes" and found.isdigit():
        return int(found) >= int(wanted)
    return found == wanted


def _least_in_sync(facts: TopicFacts) -> int:
    return int(facts.settings.get("min.insync.replicas", "1"))
