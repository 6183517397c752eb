"""What the server tells Prometheus of its work."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
BATCH = (1, 2, 4, 8, 12, 16)

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]


class Metrics:
    """Counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "jaxcap_requests", "Requests answered", ("route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "jaxcap_request_seconds",
            "From the head of a request to the end of its answer",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.images = Counter(
            "jaxcap_images", "Images captioned or not", ("outcome",), registry=self.registry
        )
        self.batches = Histogram(
            "jaxcap_batch_images", "Images in a batch", buckets=BATCH, registry=self.registry
        )
        self.queue = Gauge(
            "jaxcap_queue_images", "Images that wait or are worked on", registry=self.registry
        )
        self.compilations = Counter(
            "jaxcap_compilations", "Programs compiled", registry=self.registry
        )

    def text(self) -> bytes:
        """All of them, in Prometheus' text format."""
        return generate_latest(self.registry)
