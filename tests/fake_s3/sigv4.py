"""Checks a Signature Version 4, written from the AWS description of it, for S3's rules.

Never from the C signer: the two must be able to disagree. A test compares it with botocore.
"""

import datetime
import hashlib
import hmac
import urllib.parse

SKEW_MAX_S = 15 * 60


class Refused(Exception):
    """The request is not to be served: an S3 error code, an HTTP status and words."""

    def __init__(self, status, code, message, extra=None):
        super().__init__(message)
        self.status, self.code, self.message, self.extra = status, code, message, extra or {}


def quote(text, safe=""):
    return urllib.parse.quote(text, safe="-_.~" + safe)


def canonical_query(raw_query):
    """Decoded and encoded again, so that a lazy encoding does not pass."""
    pairs = []
    for piece in raw_query.split("&") if raw_query else []:
        name, _, value = piece.partition("=")
        pairs.append(
            (
                quote(urllib.parse.unquote_to_bytes(name)),
                quote(urllib.parse.unquote_to_bytes(value)),
            )
        )
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def canonical_request(method, raw_path, raw_query, headers, signed, body_hash):
    path = quote(urllib.parse.unquote_to_bytes(raw_path), safe="/")
    lines = [f"{name}:{' '.join(headers[name].split())}\n" for name in signed]
    return "\n".join(
        [
            method,
            path,
            canonical_query(raw_query),
            "".join(lines),
            ";".join(signed),
            body_hash,
        ]
    )


def signature(secret, date, region, service, stamp, canonical):
    key = ("AWS4" + secret).encode()
    for piece in (date, region, service, "aws4_request"):
        key = hmac.new(key, piece.encode(), hashlib.sha256).digest()
    scope = f"{date}/{region}/{service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashed])
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def parse_authorization(value):
    scheme, _, rest = value.partition(" ")
    if scheme != "AWS4-HMAC-SHA256":
        raise Refused(400, "InvalidArgument", "Unsupported Authorization Type")
    fields = dict(piece.strip().split("=", 1) for piece in rest.split(","))
    try:
        access_key, date, region, service, end = fields["Credential"].rsplit("/", 4)
        signed = fields["SignedHeaders"].split(";")
        given = fields["Signature"]
    except (KeyError, ValueError) as problem:
        raise Refused(400, "AuthorizationHeaderMalformed", str(problem)) from problem
    if end != "aws4_request":
        raise Refused(400, "AuthorizationHeaderMalformed", "scope")
    return access_key, date, region, service, signed, given


def verify(request, keys, region, now, service="s3"):
    """`keys`: access key -> (secret, token or None, expiry or None). Raises Refused."""
    headers = request.headers
    if "authorization" not in headers:
        raise Refused(403, "AccessDenied", "Access Denied")
    access_key, date, scope_region, scope_service, signed, given = parse_authorization(
        headers["authorization"]
    )
    if access_key not in keys:
        raise Refused(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist")
    secret, token, expiry = keys[access_key]
    if scope_region != region or scope_service != service:
        raise Refused(
            400,
            "AuthorizationHeaderMalformed",
            f"the region '{scope_region}' is wrong; expecting '{region}'",
            {"Region": region},
        )
    check_headers(headers, signed)
    body_hash = hashlib.sha256(request.body).hexdigest()
    if service == "s3" and "x-amz-content-sha256" not in headers:  # elsewhere it may be left out
        raise Refused(400, "InvalidRequest", "Missing required header: x-amz-content-sha256")
    if headers.get("x-amz-content-sha256", body_hash) != body_hash:
        raise Refused(400, "XAmzContentSHA256Mismatch", "payload hash")
    check_time(headers["x-amz-date"], date, now)
    if headers.get("x-amz-security-token") != token:
        raise Refused(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
    if expiry is not None and now >= expiry:
        raise Refused(400, "ExpiredToken", "The provided token has expired.")
    canonical = canonical_request(
        request.method, request.raw_path, request.raw_query, headers, signed, body_hash
    )
    wanted = signature(secret, date, scope_region, service, headers["x-amz-date"], canonical)
    if not hmac.compare_digest(wanted, given):
        raise Refused(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )


def check_headers(headers, signed):
    if signed != sorted(signed) or "host" not in signed:
        raise Refused(403, "AccessDenied", "SignedHeaders")
    for name in headers:
        if name.startswith("x-amz-") and name not in signed:
            raise Refused(403, "AccessDenied", f"There were headers present in the request which "
                          f"were not signed: {name}")
    for name in signed:
        if name not in headers:
            raise Refused(403, "SignatureDoesNotMatch", f"signed header {name} was not sent")
    if "x-amz-date" not in headers:
        raise Refused(403, "AccessDenied", "AWS authentication requires a valid Date")


def check_time(stamp, date, now):
    if not stamp.startswith(date):
        raise Refused(403, "SignatureDoesNotMatch", "scope date differs from x-amz-date")
    moment = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")
    seconds = moment.replace(tzinfo=datetime.timezone.utc).timestamp()
    if abs(seconds - now) > SKEW_MAX_S:
        raise Refused(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        )
