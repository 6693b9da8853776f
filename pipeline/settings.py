"""Every setting of Dépêche, read once from the environment (`DEPECHE_…`) and passed down."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pipeline.errors import Misconfigured

PREFIX = "DEPECHE_"


class _SecretFiles(PydanticBaseSettingsSource):
    """Each secret may stand in a file, which its variable with `_FILE` behind it names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """See pydantic-settings; unused, for all fields are read at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the secrets that stand in files. Raises `Misconfigured`."""
        return {name: _secret_in(variable, file) for name, variable, file in secret_files()}


class Settings(BaseSettings):
    """What a deployment may set. Sizes in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

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
    kafka_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext", description="how to speak to the broker: plaintext, ssl, sasl_plaintext, sasl_ssl"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="how the password is proved: SCRAM-SHA-512, SCRAM-SHA-256, PLAIN"
    )
    kafka_user: str | None = Field(None, description="whom the broker knows us as, with SASL")
    kafka_password: SecretStr | None = Field(None, description="the password of DEPECHE_KAFKA_USER")
    kafka_ca_file: Path | None = Field(None, description="PEM of who signed the brokers; the system's when not set")
    kafka_certificate_file: Path | None = Field(
        None, description="PEM of our own certificate, where brokers ask for it"
    )
    kafka_key_file: Path | None = Field(None, description="PEM of its key")
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
    s3_session_token: SecretStr | None = Field(None, description="S3 session token, of credentials that expire")
    s3_ca_file: Path | None = Field(None, description="PEM of who signed the S3 server; boto3's own when not set")

    batch_records: int = Field(500, ge=1, description="records of one transaction at most")
    batch_bytes: int = Field(16 * 2**20, ge=1, description="bytes of one batch at most, but always one record")
    segment_bytes: int = Field(32 * 2**20, ge=1, description="a segment is closed when it holds this much")
    segment_seconds: float = Field(60.0, gt=0, description="a segment is closed when its first record is this old")
    buffer_bytes: int = Field(64 * 2**20, ge=1, description="the archive holds this much at most, over all partitions")
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
    delivery: Literal["exactly_once", "at_least_once"] = Field(
        "exactly_once",
        description="`at_least_once` lets the archive run on a store without conditional writes; doubles are possible",
    )
    stall_seconds: float = Field(
        300.0, ge=120, description="a worker whose loop has not turned for so long ends itself with exit code 1"
    )
    health_host: str = Field("127.0.0.1", description="address the health checks of a worker listen on")
    health_port: int = Field(0, ge=0, le=65535, description="port of `/healthz` and `/readyz` of a worker; 0 is none")
    instance: str | None = Field(None, description="stable name of this worker; a free slot of this machine if unset")

    @field_validator("kafka_bootstrap", "s3_endpoint", "feed_url", "airflow_url")
    @classmethod
    def _without_credentials(cls, address: str) -> str:
        if re.search(r"^(\w+:)?(//)?[^/?#]*@", address):
            raise ValueError("an address must not hold a name or a password; they have settings of their own")
        return address

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where values come from: arguments, the environment, and the files of secrets."""
        return init_settings, env_settings, _SecretFiles(settings_cls)

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


def secret_names() -> list[str]:
    """Return the settings that are secrets."""
    return [name for name, field in Settings.model_fields.items() if field.annotation == SecretStr | None]


def secret_files() -> Iterator[tuple[str, str, Path]]:
    """Yield setting, variable and file of each secret that stands in a file."""
    for name in secret_names():
        variable = f"{PREFIX}{name.upper()}_FILE"
        if os.environ.get(variable):
            yield name, variable, Path(os.environ[variable])


def _secret_in(variable: str, file: Path) -> str:
    plain = variable.removesuffix("_FILE")
    if os.environ.get(plain):
        raise Misconfigured(f"{plain} and {variable} are both set; unset one of them")
    try:
        found = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{variable}: {file} cannot be read ({type(error).__name__}); mend or unset it") from error
    if not found:
        raise Misconfigured(f"{variable}: {file} is empty; write the secret into it, or unset it")
    return found
