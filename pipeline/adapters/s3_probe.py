"""Any S3 behind the port `StoreProbe`: the raw requests by which `depeche doctor` finds out what a store keeps."""

import base64
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from pipeline.adapters.s3 import _TAKEN, S3Store, _code, _foreign_errors
from pipeline.errors import Misconfigured
from pipeline.ports import Answer

# 404 is AWS's answer to If-Match where nothing is, 409 that to a race; the others are those to a wrong digest.
_REFUSALS = _TAKEN | {
    "404",
    "NoSuchKey",
    "409",
    "ConditionalRequestConflict",
    "BadDigest",
    "InvalidDigest",
    "XAmzContentChecksumMismatch",
}
_UNKNOWN = {"501", "NotImplemented", "400", "InvalidRequest", "InvalidArgument"}


class S3Probe:
    """`StoreProbe` over the bucket and connection of a store."""

    def __init__(self, store: S3Store) -> None:
        self._client: Any = store._client
        self._bucket, self._where = store._bucket, store._where

    def put(self, key: str, data: bytes, *, only_if: str | None = None, sha256: bytes | None = None) -> Answer:
        """See `StoreProbe.put`."""
        more = {} if only_if is None else {"IfMatch": only_if}
        if sha256 is not None:
            more["ChecksumSHA256"] = base64.b64encode(sha256).decode()
        return self._answer(key, lambda: self._client.put_object(Bucket=self._bucket, Key=key, Body=data, **more))

    def put_in_parts(self, key: str, data: bytes) -> Answer:
        """See `StoreProbe.put_in_parts`."""
        at = {"Bucket": self._bucket, "Key": key}
        with _foreign_errors(f"starting an upload of {key}", self._where):
            upload = at | {"UploadId": self._client.create_multipart_upload(**at)["UploadId"]}
            etag = self._client.upload_part(**upload, PartNumber=1, Body=data)["ETag"]
        parts = {"Parts": [{"ETag": etag, "PartNumber": 1}]}
        answer = self._answer(
            key, lambda: self._client.complete_multipart_upload(**upload, MultipartUpload=parts, IfNoneMatch="*")
        )
        if answer != "stored":
            self._answer(key, lambda: self._client.abort_multipart_upload(**upload))
        return answer

    def delete(self, key: str) -> bool:
        """See `StoreProbe.delete`."""
        try:
            return self._answer(key, lambda: self._client.delete_object(Bucket=self._bucket, Key=key)) == "stored"
        except Misconfigured:
            return False  # whoever may add and not remove is well set up

    def now(self) -> datetime:
        """See `StoreProbe.now`."""
        with _foreign_errors("asking for the time", self._where):
            answer = self._client.head_bucket(Bucket=self._bucket)
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    def _answer(self, key: str, ask: Callable[[], Any]) -> Answer:
        with _foreign_errors(f"probing with {key}", self._where):
            try:
                ask()
            except ClientError as error:
                if _code(error) in _REFUSALS:
                    return "refused"
                if _code(error) in _UNKNOWN:
                    return "unknown"
                raise
        return "stored"
