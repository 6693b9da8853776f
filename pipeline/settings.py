"""Every setting of Dépêche, read once from the environment (`DEPECHE_…`) and passed down."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.errors import Misconfigured


class Settings(BaseSettings):
    """What a deployment may set. Sizes in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="DEPECHE_", frozen=True, extra="ignore")

    home: Path = Field(Path(".depeche"), description="folder of local state: services, logs, reports, warehouse")
    sources: Path = Field(Path("seeds/sources.yaml"), description="the file that declares the news sources")
    model: Path = Field(Path("models/fr-news-small"), description="folder of the ONNX model and its tokenizer")
    entity_model: str = Field("", description="Hugging Face token-classification model to take entities from instead")
    model_threads: int = Field(1, ge=1, description="threads of one model session")
    warehouse: Path | None = Field(None, description="DuckDB file; <home>/depeche.duckdb when not set")

    kafka_port: int = Field(9092, description="port of the local broker; its controller takes the next one")
    kafka_bootstrap: str = Field(
        default_factory=lambda data: f"127.0.0.1:{data['kafka_port']}", description="host:port of the Kafka broker"
    )
    kafka_partitions: int = Field(3, ge=1, description="partitions of each new topic")
    kafka_replication: int = Field(1, ge=1, description="replicas of each new topic")

    s3_port: int = Field(8333, description="port of the local S3 server")
    seaweed_port: int = Field(9330, description="first of the 20 ports the local S3 server uses for itself")
    s3_endpoint: str = Field(
        default_factory=lambda data: f"http://127.0.0.1:{data['s3_port']}",
        description="address of the S3 service; `aws` for AWS itself",
    )
    s3_bucket: str = Field("depeche", description="bucket of the archive")
    s3_region: str = Field("us-east-1", description="region the requests are signed for")
    s3_access_key: SecretStr | None = Field(None, description="S3 access key; boto3's own chain when not set")
    s3_secret_key: SecretStr | None = Field(None, description="S3 secret key")

    batch_records: int = Field(500, ge=1, description="records of one transaction at most")
    segment_bytes: int = Field(64 * 2**20, ge=1, description="a segment is closed when it holds this much")
    segment_seconds: float = Field(60.0, gt=0, description="a segment is closed when its first record is this old")
    buffer_bytes: int = Field(96 * 2**20, ge=1, description="the archive holds this much at most, over all partitions")
    max_body_bytes: int = Field(10 * 2**20, ge=1, description="a body larger than this is turned down")

    user_agent: str = Field("depeche/0.1 (+https://github.com/depeche-news/depeche)", description="who fetches")
    fetch_delay: float = Field(1.0, ge=0, description="seconds between two requests to one host, at least")
    allow_private: bool = Field(False, description="whether sources may lie in private networks")
    fetch_timeout: float = Field(20.0, gt=0, description="for one request, in all")
    feed_port: int = Field(8090, description="port of the demo feed")
    feed_url: str = Field(
        default_factory=lambda data: f"http://127.0.0.1:{data['feed_port']}",
        description="${DEPECHE_FEED_URL} in the sources file",
    )

    airflow_port: int = Field(8080, description="port of the local Airflow; its log servers take the next two")
    airflow_url: str = Field(
        default_factory=lambda data: f"http://127.0.0.1:{data['airflow_port']}", description="address of Airflow"
    )
    airflow_user: str = Field("admin", description="who starts runs and leaves notes in Airflow")
    airflow_password: SecretStr | None = Field(None, description="the local one is in <home>/secrets.json")
    instance: str | None = Field(None, description="stable name of this worker; a free slot of this machine if unset")

    @classmethod
    def from_env(cls) -> Self:
        """Return the settings of this process. Raises `Misconfigured` naming the variable and the remedy."""
        try:
            return cls()
        except ValidationError as error:
            first = error.errors()[0]
            name = "DEPECHE_" + "_".join(str(part) for part in first["loc"]).upper()
            raise Misconfigured(f"{name} is not usable: {first['msg']}. Mend or unset it.") from error

    @property
    def warehouse_path(self) -> Path:
        """Return the DuckDB file."""
        return self.warehouse or self.home / "depeche.duckdb"
