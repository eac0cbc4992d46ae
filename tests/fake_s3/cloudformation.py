"""A strict CloudFormation, as far as signals go: SignalResource, by the identity of an instance or
by a signature, and the bucket that wait conditions look into, which knows presigned URLs only."""

import base64
import contextlib
import hashlib
import hmac
import json
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

from . import service, sigv4

FIELDS = {
    "Action": r"SignalResource",
    "Version": r"2010-05-15",
    "StackName": r"[a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*",
    "LogicalResourceId": r"[A-Za-z0-9]{1,255}",
    "UniqueId": r".{1,64}",
    "Status": r"SUCCESS|FAILURE",
}


class FakeCloudFormation(service.Service):
    """`stacks`: ARN -> {logical id: state}. `members`: ids of the instances that belong to them.
    `identity`: (document, signature) as the instance's metadata gives them. `callers`: as
    FakeSTS."""

    def __init__(self, stacks, *, members=(), identity=None, callers=None, region="us-east-1"):
        self.stacks, self.members, self.identity = stacks, set(members), identity
        self.callers, self.region = callers or {}, region
        self.fail_next = []  # (status, code, message) to answer before being honest
        self.body = None  # (status, bytes) to answer to all
        self.hangs = False
        self.asked = []  # (how, fields) of every question, also of those that are refused
        self.signals = []  # (logical id, unique id, status) that were taken
        self.lock = threading.Lock()

    def handler(self):
        fake = self

        class Handler(service.Handler):
            def do_GET(self):
                fake.serve(self, "CFN_V1", b"")

            def do_POST(self):
                fake.serve(self, "SigV4", self.body())

        return Handler

    def serve(self, handler, how, body):
        if self.hangs:
            self.ended.wait(120)
            return
        with self.lock:
            try:
                fields = self.read(handler, body)
                self.asked.append((how, fields))
                if self.fail_next:
                    raise sigv4.Refused(*self.fail_next.pop(0))
                instance = None  # signed, anybody may speak for any
                if how == "CFN_V1":
                    instance = self.check_identity(handler)
                else:
                    service.check_signature(handler, body, self.callers, self.region,
                                            "cloudformation")
                self.take(fields, instance)
                status, text = 200, (
                    '<SignalResourceResponse xmlns="http://cloudformation.amazonaws.com/doc/'
                    '2010-05-15/"><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>'
                    "</SignalResourceResponse>").encode()
            except sigv4.Refused as refused:
                status, text = refused.status, service.error_document(refused)
        handler.answer(*(self.body or (status, text)))

    def read(self, handler, body):
        path, _, query = handler.path.partition("?")
        if path != "/" or (query and body):
            raise sigv4.Refused(400, "MalformedInput", "path or query")
        if body and handler.headers["Content-Type"] != service.FORM:
            raise sigv4.Refused(400, "MalformedInput", "content type")
        return service.read_fields(query or body.decode("ascii"), FIELDS, set(FIELDS),
                                   lambda _: set(FIELDS))

    def check_identity(self, handler):
        scheme, _, rest = handler.headers.get("Authorization", "").partition(" ")
        document, _, signature = rest.partition(":")
        if scheme != "CFN_V1":
            raise sigv4.Refused(403, "MissingAuthenticationToken", "scheme")
        wanted, signed = self.identity
        if (base64.b64decode(document, validate=True) != wanted
                or signature != signed.decode().replace("\n", "")):
            raise sigv4.Refused(403, "SignatureDoesNotMatch", "identity")
        instance = json.loads(wanted)["instanceId"]
        if instance not in self.members:
            raise sigv4.Refused(403, "AccessDenied", f"{instance} is not of this stack")
        return instance

    def take(self, fields, instance):
        name, resource = fields["StackName"], fields["LogicalResourceId"]
        arn = next((arn for arn in self.stacks if name in (arn, arn.split("/")[1])), None)
        if arn is None:
            raise sigv4.Refused(400, "ValidationError", f"Stack [{name}] does not exist")
        if resource not in self.stacks[arn]:
            raise sigv4.Refused(400, "ValidationError",
                                f"Resource {resource} does not exist for stack {name}")
        state = self.stacks[arn][resource]
        if not state.endswith("_IN_PROGRESS"):
            raise sigv4.Refused(400, "ValidationError",
                                f"Stack {arn} is in {state} state and cannot be signaled")
        if instance is not None and fields["UniqueId"] != instance:
            raise sigv4.Refused(400, "ValidationError", "UniqueId is not that of the instance")
        self.signals.append((resource, fields["UniqueId"], fields["Status"]))


KEYS = ("Status", "UniqueId", "Data", "Reason")


class FakeWaitBucket(service.Service):
    """The S3 behind wait conditions: a PUT by a URL of url(), which signs the type of the content
    as well, so that none may be sent. As S3 does, it looks at an announced PUT before its body."""

    BUCKET = "cloudformation-waitcondition-us-east-1"

    def __init__(self):
        self.secret = b"never-to-be-seen"
        self.denied = None  # by the policy of an endpoint: the message
        self.fail_next = []  # as FakeCloudFormation
        self.hangs = False
        self.silent_on_announcements = False
        self.heads = []  # the headers of every request
        self.announced = 0
        self.puts = []  # every body that was taken
        self.signals = {}  # UniqueId -> the first one
        self.lock = threading.Lock()

    def url(self, life_s=3600):
        end, path = int(time.time() + life_s), f"/{self.BUCKET}/arn%3Aaws%3Acloudformation%3Ahandle"
        query = {"AWSAccessKeyId": "AKIAWAIT", "Expires": end,
                 "Signature": self.sign("", "", end, path)}
        return f"{self.endpoint}{path}?{urllib.parse.urlencode(query)}"

    def sign(self, md5, kind, end, path):
        text = f"PUT\n{md5}\n{kind}\n{end}\n{path}"
        mac = hmac.new(self.secret, text.encode(), hashlib.sha1)
        return base64.b64encode(mac.digest()).decode()

    def handler(self):
        fake = self

        class Handler(service.Handler):
            protocol_version = "HTTP/1.1"

            def handle_expect_100(self):
                fake.announced += 1
                if fake.silent_on_announcements:
                    fake.ended.wait(120)
                    return False
                try:
                    fake.check_head(self)
                except sigv4.Refused as refused:
                    fake.refuse(self, refused)
                    return False
                self.send_response_only(100)
                self.end_headers()
                return True

            def do_PUT(self):
                fake.put(self)

        return Handler

    def refuse(self, handler, refused):
        # S3 quotes what was to be signed, and the signature: nobody may print that.
        text = (f"<Error><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message>"
                f"<StringToSign>{escape(handler.path)}</StringToSign></Error>").encode()
        handler.close_connection = True
        handler.send_response(refused.status)
        handler.send_header("Content-Type", "application/xml")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        with contextlib.suppress(OSError):  # who only asked may have left
            handler.wfile.write(text)

    def check_head(self, handler):
        headers = handler.headers
        path, _, query = handler.path.partition("?")
        fields = dict(urllib.parse.parse_qsl(query))
        if "Transfer-Encoding" in headers:
            raise sigv4.Refused(501, "NotImplemented", "Transfer-Encoding")
        if "Content-Length" not in headers:
            raise sigv4.Refused(411, "MissingContentLength", "Content-Length")
        signature = self.sign(headers.get("Content-MD5", ""), headers.get("Content-Type", ""),
                              fields.get("Expires"), path)
        if "Authorization" in headers or signature != fields.get("Signature"):
            raise sigv4.Refused(403, "SignatureDoesNotMatch", f"not {signature}")
        if time.time() > int(fields["Expires"]):
            raise sigv4.Refused(403, "AccessDenied", "Request has expired")
        if self.denied is not None:
            raise sigv4.Refused(403, "AccessDenied", self.denied)

    def put(self, handler):
        if self.hangs:
            self.ended.wait(120)
            return
        with self.lock:
            self.heads.append(dict(handler.headers.items()))
            try:
                self.check_head(handler)
                size = int(handler.headers["Content-Length"])
                body = handler.rfile.read(size)
                if len(body) < size:  # announced, and never sent
                    raise sigv4.Refused(400, "IncompleteBody", "body")
                if self.fail_next:
                    raise sigv4.Refused(*self.fail_next.pop(0))
                self.take(body)
            except sigv4.Refused as refused:
                self.refuse(handler, refused)
                return
            handler.send_response(200)
            handler.send_header("ETag", f'"{hashlib.md5(body).hexdigest()}"')
            handler.send_header("Content-Length", "0")
            handler.end_headers()

    def take(self, body):
        try:
            signal = json.loads(body)
            good = (set(signal) == set(KEYS) and all(isinstance(signal[k], str) for k in KEYS)
                    and signal["Status"] in ("SUCCESS", "FAILURE") and signal["UniqueId"]
                    and len(signal["Data"].encode()) <= 4096)
        except (ValueError, TypeError):
            good = False
        if not good:
            raise sigv4.Refused(400, "MalformedSignal", "no signal of a wait condition")
        self.puts.append(signal)
        self.signals.setdefault(signal["UniqueId"], signal)  # the same again is a retransmission
