"""Why a broker does not let us in, asked of it directly.

kafka-python tries again without an end, and says of a certificate it does not trust, of a port that speaks TLS and
(3.0.12) even of a wrong password only that nobody answered. Here the greeting is done once, by hand.
"""

import contextlib
import socket
import ssl
import struct
from collections.abc import Iterator
from typing import Any

from pipeline.adapters.kafka.access import KafkaAccess

_PATIENCE_S = 2.0
_LARGEST_ANSWER = 1 << 16
# From Kafka's protocol guide: keys of the two requests, and the codes of their refusals.
_SASL_HANDSHAKE, _SASL_AUTHENTICATE = 17, 36
_UNSUPPORTED_MECHANISM, _ILLEGAL_STATE, _AUTHENTICATION_FAILED = 33, 34, 58

_SPEAKS_TLS = "it speaks TLS and we do not; set DEPECHE_KAFKA_SECURITY to ssl or sasl_ssl"
_SPEAKS_NO_TLS = "it does not speak TLS and we do; set DEPECHE_KAFKA_SECURITY to plaintext or sasl_plaintext"
WRONG_PASSWORD = (
    "it refused the name or the password;"
    " set DEPECHE_KAFKA_USER, DEPECHE_KAFKA_PASSWORD and DEPECHE_KAFKA_SASL_MECHANISM"
)
WRONG_MECHANISM = (
    "it does not take passwords this way;"
    " set DEPECHE_KAFKA_SASL_MECHANISM and DEPECHE_KAFKA_SECURITY to what it does take"
)


def misunderstanding(access: KafkaAccess) -> str | None:
    """Return why none of our clients can be understood, or None where the first broker shows no such reason."""
    try:
        with _connected(access) as connection:
            if not access.tls and _also_speaks_tls(access):
                return _SPEAKS_TLS
            return _refusal(connection, access) if access.sasl else None
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted ({error.verify_message}); set DEPECHE_KAFKA_CA_FILE to who signed it"
    except ssl.SSLError as error:
        return _SPEAKS_NO_TLS if error.reason == "WRONG_VERSION_NUMBER" else None
    except (OSError, ValueError, EOFError, struct.error):
        return None


@contextlib.contextmanager
def _connected(access: KafkaAccess) -> Iterator[socket.socket]:
    host, _, port = access.bootstrap.split(",")[0].strip().rpartition(":")
    host = host.strip("[]")
    with socket.create_connection((host, int(port)), timeout=_PATIENCE_S) as plain:
        if not access.tls:
            yield plain
            return
        with access.context().wrap_socket(plain, server_hostname=host) as secure:
            yield secure


def _also_speaks_tls(access: KafkaAccess) -> bool:
    # To find out whether TLS is spoken at all; nothing is ever said through it.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with _connected(access) as plain, context.wrap_socket(plain):
            return True
    except OSError:
        return False


def _refusal(connection: socket.socket, access: KafkaAccess) -> str | None:
    """Name ourselves as every client does, and return what the broker has against it."""
    from kafka.net.sasl import get_sasl_mechanism

    name = access.mechanism.encode()
    code, _ = _ask(connection, _SASL_HANDSHAKE, 1, struct.pack(">h", len(name)) + name)
    if code in (_UNSUPPORTED_MECHANISM, _ILLEGAL_STATE):
        return WRONG_MECHANISM
    mechanism: Any = get_sasl_mechanism(access.mechanism)(host="", **access.arguments())
    while not mechanism.is_done():
        token = mechanism.auth_bytes()
        code, rest = _ask(connection, _SASL_AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
        if code == _AUTHENTICATION_FAILED:
            return WRONG_PASSWORD
        message = max(0, struct.unpack_from(">h", rest)[0])
        (length,) = struct.unpack_from(">i", rest, 2 + message)
        mechanism.receive(rest[6 + message : 6 + message + length])
    return None


def _ask(connection: socket.socket, key: int, version: int, body: bytes) -> tuple[int, bytes]:
    """Send one request and return the answer's error code and what follows it."""
    request = struct.pack(">hhih", key, version, 0, -1) + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    (length,) = struct.unpack(">i", _exactly(connection, 4))
    if not 6 <= length <= _LARGEST_ANSWER:
        raise ValueError("no answer of a Kafka broker")
    answer = _exactly(connection, length)
    return struct.unpack_from(">h", answer, 4)[0], answer[6:]


def _exactly(connection: socket.socket, count: int) -> bytes:
    out = b""
    while len(out) < count:
        if not (piece := connection.recv(count - len(out))):
            raise EOFError
        out += piece
    return out
