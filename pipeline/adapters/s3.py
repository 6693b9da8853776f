"""Any S3 behind the port `ObjectStore`. Only the two S3 files import boto3.

`create` rests on conditional writes (`If-None-Match: *`), for a large object on that of its completion;
`depeche doctor` probes that a store honours them. Not every store makes the second one a single step: SeaweedFS 4.48
was seen to tell two writers of one large object, at the same instant, that they won. So only what has a name nobody
else uses may be large: data files. Manifests, which must collide, have a few kilobytes and go in one piece.

What is left of a large upload whose writer died is no object: the rule in `infra/s3/lifecycle.json` clears it away.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
)

from pipeline.errors import Misconfigured, RetryLater
from pipeline.ports import ObjectInfo

_GONE = {"404", "NoSuchKey", "NotFound"}
_TAKEN = {"412", "PreconditionFailed"}
_REFUSED = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "InvalidClientTokenId"}
# A HEAD has no body, so its 403 does not say which of the two it is.
_NOT_ALLOWED = {"403", "AccessDenied", "AllAccessDisabled"}
# Another write of the name was under way: S3 asks to try again, and the next answer is a plain one.
_CONFLICT = {"409", "ConditionalRequestConflict", "OperationAborted"}
_TRIES = 3
_PART_BYTES = 8 * 2**20
_LARGEST_PUT = 16 * 2**20
"""Above this an object goes in parts: a lost connection then costs one part, and S3 checks each on arrival."""


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def _foreign_errors(doing: str, where: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if _code(error) in _REFUSED:
            raise Misconfigured(
                f"{doing}: {where} refused these credentials ({_code(error)});"
                " set DEPECHE_S3_ACCESS_KEY and DEPECHE_S3_SECRET_KEY"
            ) from error
        if _code(error) in _NOT_ALLOWED:
            raise Misconfigured(
                f"{doing}: {where} does not allow it ({_code(error)}); check DEPECHE_S3_ACCESS_KEY and"
                " DEPECHE_S3_SECRET_KEY, and grant its bearer what infra/s3/policies/ lists for this step"
            ) from error
        raise RetryLater(f"{doing}: {where} answered {_code(error)}") from error
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        raise Misconfigured(
            f"{doing}: there are no credentials for {where} ({error}); set DEPECHE_S3_ACCESS_KEY and"
            " DEPECHE_S3_SECRET_KEY, or give the machine a role"
        ) from error
    except SSLError as error:
        if "CERTIFICATE_VERIFY_FAILED" not in str(error):
            raise RetryLater(f"{doing}: {where} cannot be reached ({error})") from error
        raise Misconfigured(
            f"{doing}: the certificate of {where} is not trusted; set DEPECHE_S3_CA_FILE to who signed it"
        ) from error
    except BotoCoreError as error:
        raise RetryLater(f"{doing}: {where} cannot be reached ({error})") from error


def _check(endpoint: str | None, ca_file: Path | None, access_key: str | None, secret_key: str | None) -> None:
    """Raise `Misconfigured` for settings that do not fit together."""
    if (access_key is None) != (secret_key is None):
        raise Misconfigured("DEPECHE_S3_ACCESS_KEY and DEPECHE_S3_SECRET_KEY go together; set both or none")
    if ca_file is not None and (endpoint or "https").startswith("http:"):
        raise Misconfigured(
            f"DEPECHE_S3_CA_FILE is not used with {endpoint}; set DEPECHE_S3_ENDPOINT to an https address"
        )
    if ca_file is not None and not ca_file.is_file():
        raise Misconfigured(f"DEPECHE_S3_CA_FILE names {ca_file}, which is no file")


class S3Store:
    """`ObjectStore` over one bucket."""

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str | None = None,
        region: str = "us-east-1",
        access_key: str | None = None,
        secret_key: str | None = None,
        session_token: str | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self._bucket = bucket
        self._where = f"S3 at {endpoint or 'AWS'}"
        _check(endpoint, ca_file, access_key, secret_key)
        self._client: Any = boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            aws_session_token=session_token,
            verify=str(ca_file) if ca_file else None,
            config=Config(
                s3={"addressing_style": "path"} if endpoint else {},
                retries={"total_max_attempts": 2, "mode": "standard"},
                connect_timeout=5,
                read_timeout=60,
            ),
        )

        # At DEBUG botocore writes down every header it sends, the token of a role among them.
        logging.getLogger("botocore").setLevel(logging.INFO)

    def ensure_bucket(self) -> bool:
        """Create the bucket if it is missing; tell whether it was."""
        with _foreign_errors(f"looking for bucket {self._bucket}", self._where):
            try:
                self._client.head_bucket(Bucket=self._bucket)
                return False
            except ClientError as error:
                if _code(error) not in _GONE | {"NoSuchBucket"}:
                    raise
            self._client.create_bucket(Bucket=self._bucket)
            return True

    def create(self, key: str, data: bytes, metadata: Mapping[str, str] | None = None) -> bool:
        """See `ObjectStore.create`."""
        store = self._put if len(data) <= _LARGEST_PUT else self._put_in_parts
        with _foreign_errors(f"storing {key}", self._where):
            for _ in range(_TRIES):
                try:
                    store(key, data, dict(metadata or {}))
                    return True
                except ClientError as error:
                    if _code(error) in _TAKEN:
                        return False
                    if _code(error) not in _CONFLICT:
                        raise
        raise RetryLater(f"storing {key}: {self._where} saw other writes of it {_TRIES} times")

    def _put(self, key: str, data: bytes, metadata: dict[str, str]) -> None:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=data, Metadata=metadata, IfNoneMatch="*")

    def _put_in_parts(self, key: str, data: bytes, metadata: dict[str, str]) -> None:
        """Upload part by part, each with its checksum; nothing is there before the last step, the conditional one."""
        where = {"Bucket": self._bucket, "Key": key}
        begun = self._client.create_multipart_upload(**where, Metadata=metadata, ChecksumAlgorithm="CRC32")
        upload = where | {"UploadId": begun["UploadId"]}
        try:
            parts = []
            for number, start in enumerate(range(0, len(data), _PART_BYTES), start=1):
                body = data[start : start + _PART_BYTES]
                part = self._client.upload_part(**upload, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32")
                marks = {name: part[name] for name in ("ETag", "ChecksumCRC32") if name in part}
                parts.append({"PartNumber": number, **marks})
            self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
        except BaseException:
            with suppress(ClientError, BotoCoreError):
                self._client.abort_multipart_upload(**upload)
            raise

    def get(self, key: str, length: int | None = None) -> bytes:
        """See `ObjectStore.get`."""
        part = {} if length is None else {"Range": f"bytes=0-{length - 1}"}
        with _foreign_errors(f"reading {key}", self._where):
            try:
                body: bytes = self._client.get_object(Bucket=self._bucket, Key=key, **part)["Body"].read()
            except ClientError as error:
                if _code(error) in _GONE:
                    raise KeyError(key) from error
                if _code(error) in {"InvalidRange", "416"}:
                    return b""
                raise
        return body

    def head(self, key: str) -> tuple[ObjectInfo, dict[str, str]] | None:
        """See `ObjectStore.head`."""
        with _foreign_errors(f"looking at {key}", self._where):
            try:
                answer = self._client.head_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if _code(error) in _GONE:
                    return None
                raise
        info = ObjectInfo(key, answer["ContentLength"], answer["ETag"].strip('"'), answer["LastModified"])
        return info, dict(answer["Metadata"])

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`."""
        with _foreign_errors(f"listing {prefix}", self._where):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, StartAfter=after
            )
            for page in pages:
                for each in page.get("Contents", ()):
                    yield ObjectInfo(each["Key"], each["Size"], each["ETag"].strip('"'), each["LastModified"])
