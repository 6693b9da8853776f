"""How a broker is reached: where it is, and how each side proves who it is.

Promise: every client of kafka-python takes `KafkaAccess.arguments()`, so that none of them talks past what is set;
and the password shows nowhere, not in `repr`, not in a sentence.
"""

import logging
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import Misconfigured

Security = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

# A peer that went away without a word is noticed after half a minute. kafka-python waits ten minutes for some answers,
# and for ever for a TLS handshake.
_SOCKET_OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
]


@dataclass(frozen=True)
class KafkaAccess:
    """Servers (`host:port`, commas between several) and security. Raises `Misconfigured` for what does not fit."""

    bootstrap: str
    security: Security = "plaintext"
    mechanism: Mechanism = "SCRAM-SHA-512"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    """Who signed the brokers' certificates; without one, whom the system trusts."""
    certificate_file: Path | None = None
    key_file: Path | None = None

    def __post_init__(self) -> None:
        if "@" in self.bootstrap or "//" in self.bootstrap:
            raise Misconfigured(
                "DEPECHE_KAFKA_BOOTSTRAP must be host:port; a name and a password go into"
                " DEPECHE_KAFKA_USER and DEPECHE_KAFKA_PASSWORD"
            )
        if self.sasl and not (self.user and self.password):
            missing = "DEPECHE_KAFKA_PASSWORD" if self.user else "DEPECHE_KAFKA_USER"
            raise Misconfigured(f"DEPECHE_KAFKA_SECURITY={self.security} needs {missing}; set it")
        if not self.sasl and (self.user or self.password):
            raise Misconfigured(
                "DEPECHE_KAFKA_USER and DEPECHE_KAFKA_PASSWORD are not used with"
                f" DEPECHE_KAFKA_SECURITY={self.security}; set it to sasl_ssl, or unset them"
            )
        files = {"CA_FILE": self.ca_file, "CERTIFICATE_FILE": self.certificate_file, "KEY_FILE": self.key_file}
        self._check_files({f"DEPECHE_KAFKA_{name}": file for name, file in files.items() if file is not None})

    def _check_files(self, given: dict[str, Path]) -> None:
        if given and not self.tls:
            raise Misconfigured(
                f"{next(iter(given))} is not used with DEPECHE_KAFKA_SECURITY={self.security};"
                " set it to ssl or sasl_ssl, or unset the file"
            )
        if (self.certificate_file is None) != (self.key_file is None):
            raise Misconfigured(
                "DEPECHE_KAFKA_CERTIFICATE_FILE and DEPECHE_KAFKA_KEY_FILE go together; set both or none"
            )
        for name, file in given.items():
            if not file.is_file():
                raise Misconfigured(f"{name} names {file}, which is no file")
        if given:
            try:
                self.context()
            except (ssl.SSLError, OSError) as error:
                raise Misconfigured(f"{' or '.join(given)} cannot be used as PEM: {error}") from error

    def __str__(self) -> str:
        return self.bootstrap

    @property
    def tls(self) -> bool:
        """Tell whether what is said is encrypted."""
        return self.security in ("ssl", "sasl_ssl")

    @property
    def sasl(self) -> bool:
        """Tell whether we name ourselves with a password."""
        return self.security in ("sasl_plaintext", "sasl_ssl")

    @classmethod
    def of(cls, given: "KafkaAccess | str") -> "KafkaAccess":
        """Return `given`, or an unprotected way to the broker of that address."""
        return given if isinstance(given, cls) else cls(str(given))

    def arguments(self) -> dict[str, Any]:
        """Return what each client of kafka-python is opened with."""
        out: dict[str, Any] = {
            "bootstrap_servers": [each.strip() for each in self.bootstrap.split(",")],
            "security_protocol": self.security.upper(),
            "socket_options": _SOCKET_OPTIONS,
        }
        if self.tls:
            out["ssl_context"] = self.context()
        if self.sasl:
            # At DEBUG kafka-python writes down every byte it sends, and PLAIN sends the password as it is.
            for name in ("kafka.protocol", "kafka.net"):
                logging.getLogger(name).setLevel(logging.INFO)
            out |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return out

    def context(self) -> ssl.SSLContext:
        """Return what TLS is begun with. Raises OSError for files that cannot be used."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate_file is not None:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context
