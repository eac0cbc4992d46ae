"""A strict Security Token Service: form, signature and trust are checked, and what it gives may
live for seconds."""

import dataclasses
import threading
import time

from . import service, sigv4

FIELDS = {
    "Action": r"AssumeRole|AssumeRoleWithWebIdentity",
    "Version": r"2011-06-15",
    "RoleArn": r"arn:aws:iam::\d{12}:role/[!-~]+",
    "RoleSessionName": r"[\w+=,.@-]{2,64}",
    "DurationSeconds": r"\d{3,5}",
    "ExternalId": r"[\w+=,.@:/-]{2,1224}",
    "WebIdentityToken": r"[!-~]{4,20000}",
}
NEEDED = {"Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds"}


@dataclasses.dataclass
class Role:
    trusts: str  # what the caller's access key begins with; or a web identity's whole token
    grants: dict  # the keys of a fake that knows this role's credentials
    external_id: str = None
    max_s: int = 3600


class FakeSTS(service.Service):
    """`callers`: access key -> (secret, token or None, end or None), as FakeS3.keys; it may be what
    a role grants, too."""

    def __init__(self, callers, roles, *, secret_key, token, life_s=None, region="us-east-1"):
        self.callers, self.roles, self.region = callers, roles, region
        self.secret_key, self.token, self.life_s = secret_key, token, life_s
        self.fail_next = []  # (status, code) to answer before being honest
        self.is_down = lambda: False
        self.needed = NEEDED
        self.asked = []  # the fields of every question, and "caller"
        self.lock = threading.Lock()

    def handler(self):
        sts = self

        class Handler(service.Handler):
            def do_POST(self):
                with sts.lock:
                    sts.post(self)

        return Handler

    def post(self, handler):
        body = handler.body()
        try:
            if self.is_down():
                raise sigv4.Refused(503, "ServiceUnavailable", "on command")
            if self.fail_next:
                raise sigv4.Refused(*self.fail_next.pop(0), "on command")
            text, status = self.answer(handler, body).encode(), 200
        except sigv4.Refused as refused:
            text, status = service.error_document(refused), refused.status
        handler.answer(status, text)

    def answer(self, handler, body):
        fields = self.read_form(handler, body)
        web = fields["Action"] == "AssumeRoleWithWebIdentity"
        caller = None if web else service.check_signature(
            handler, body, self.callers, self.region, "sts")
        self.asked.append({**fields, "caller": caller})
        if web and "Authorization" in handler.headers:
            raise sigv4.Refused(400, "ValidationError", "signed, though there is a token")
        role = self.roles.get(fields["RoleArn"])
        identity = fields["WebIdentityToken"] if web else caller
        trusted = role and (identity == role.trusts if web else identity.startswith(role.trusts))
        if not trusted or fields.get("ExternalId") != role.external_id:
            raise sigv4.Refused(403, "AccessDenied", f"User: arn:aws:fake::user/{caller} is not "
                                f"authorized to perform: sts:{fields['Action']} on resource: "
                                f"{fields['RoleArn']}")
        return self.give(role, fields)

    def read_form(self, handler, body):
        if handler.path != "/" or handler.headers["Content-Type"] != service.FORM:
            raise sigv4.Refused(400, "MalformedInput", "path or content type")

        def known(fields):
            return set(FIELDS) - {"WebIdentityToken"} | (
                {"WebIdentityToken"} if "WebIdentity" in fields.get("Action", "") else set())

        return service.read_fields(body.decode("ascii"), FIELDS, self.needed, known)

    def give(self, role, fields):
        seconds = int(fields.get("DurationSeconds", 3600))
        if not 900 <= seconds <= role.max_s:
            raise sigv4.Refused(400, "ValidationError", "The requested DurationSeconds exceeds the "
                                "MaxSessionDuration set for this role.")
        name = fields["RoleArn"].rsplit("/", 1)[1]
        access_key = f"ASIA{name.upper()}{len(self.asked):06}"
        token = f"{self.token}-{access_key}"
        end = int(time.time() + (self.life_s or seconds))  # the answer tells no fractions
        role.grants[access_key] = (self.secret_key, token, end)
        expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))
        action = fields["Action"]
        return (f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
                f"<{action}Result><Credentials><AccessKeyId>{access_key}</AccessKeyId>"
                f"<SecretAccessKey>{self.secret_key}</SecretAccessKey>"
                f"<SessionToken>{token}</SessionToken><Expiration>{expiration}</Expiration>"
                f"</Credentials></{action}Result></{action}Response>")
