"""IAM as far as a policy for reading a backup, or for reports, uses it. What it does not know it does not skip: it
fails."""

import re

from .sigv4 import Refused


def matches(pattern, text):
    """'*' and '?' are wild, "${*}" is the star itself (IAM User Guide, "Policy variables")."""
    out = ""
    for piece in re.findall(r"\$\{[*?$]\}|.", pattern, re.DOTALL):
        out += {"*": ".*", "?": "."}.get(piece) or re.escape(piece[2] if len(piece) == 4 else piece)
    return re.fullmatch(out, text, re.DOTALL) is not None


def as_list(value):
    return value if isinstance(value, list) else [value]


def allows(policy, action, resource, context):
    """True when a statement allows it. A condition on a key that the request has not is not met."""
    assert policy["Version"] == "2012-10-17"
    for statement in policy["Statement"]:
        assert set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert statement["Effect"] == "Allow"
        condition = statement.get("Condition", {"StringLike": {}})
        assert set(condition) == {"StringLike"}
        if (any(matches(p, action) for p in as_list(statement["Action"]))
                and any(matches(p, resource) for p in as_list(statement["Resource"]))
                and all(name in context and any(matches(p, context[name]) for p in as_list(value))
                        for name, value in condition["StringLike"].items())):
            return True
    return False


def needed(request):
    """(action, ARN, context) that the request needs (S3 User Guide, "Required permissions"); what
    If-Match on a write needs beside that is in check()."""
    bucket = f"arn:aws:s3:::{request.bucket}"
    versioned = "Version" if "versionId" in request.query else ""
    if not request.key or request.kind == "list" or "versions" in request.query:
        action = "s3:ListBucketVersions" if "versions" in request.query else "s3:ListBucket"
        told = "prefix" in request.query
        return action, bucket, {"s3:prefix": request.query["prefix"]} if told else {}
    if request.method == "POST":
        assert "restore" in request.query
        return "s3:RestoreObject", f"{bucket}/{request.key}", {}
    if request.method == "PUT":
        return "s3:PutObject", f"{bucket}/{request.key}", {}
    return f"s3:GetObject{versioned}", f"{bucket}/{request.key}", {}


def check(policy, request):
    action, resource, context = needed(request)
    if request.method == "PUT" and "if-match" in request.headers and not allows(
            policy, "s3:GetObject", resource, context):
        action = "s3:GetObject"
    if not allows(policy, action, resource, context):
        raise Refused(403, "AccessDenied",
                      f"User: arn:aws:iam::123456789012:user/restorer is not authorized to perform: "
                      f'{action} on resource: "{resource}" because no identity-based policy allows '
                      f"the {action} action")
