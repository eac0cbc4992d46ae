"""Archived objects: who may be read, and RestoreObject. S3 API Reference and User Guide."""

import email.utils
from xml.etree import ElementTree

from .sigv4 import Refused

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
CLASSES = ("GLACIER", "DEEP_ARCHIVE")
TIERS = ("ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS")  # of INTELLIGENT_TIERING
DAY = 24 * 3600


def settle(thing, now):
    """What time has done to the object: a copy expires, a tier is left for good."""
    if thing.copy is None or now < thing.copy[0]:
        return
    if thing.archive_tier:
        thing.archive_tier, thing.copy = "", None
    elif now >= thing.copy[1]:
        thing.copy = None


def is_archived(thing, now):
    settle(thing, now)
    if thing.storage_class in CLASSES:
        return thing.copy is None or now < thing.copy[0]
    return thing.archive_tier in TIERS


def check_readable(thing, now):
    if is_archived(thing, now):
        extra = {"StorageClass": thing.storage_class}
        if thing.archive_tier:
            extra["AccessTier"] = thing.archive_tier
        raise Refused(403, "InvalidObjectState",
                      "The operation is not valid for the object's storage class", extra)


def headers(thing, now):
    settle(thing, now)
    found = {}
    if thing.storage_class != "STANDARD":
        found["x-amz-storage-class"] = thing.storage_class
    if thing.archive_tier:
        found["x-amz-archive-status"] = thing.archive_tier
    if thing.copy is not None and now < thing.copy[0]:
        found["x-amz-restore"] = 'ongoing-request="true"'
    elif thing.copy is not None:
        expiry = email.utils.formatdate(thing.copy[1], usegmt=True)
        found["x-amz-restore"] = f'ongoing-request="false", expiry-date="{expiry}"'
    return found


def parse(body, deep, tiering):
    """Days and tier of a RestoreRequest, as strictly as its schema."""
    malformed = Refused(400, "MalformedXML", "The XML you provided was not well-formed or did not "
                                             "validate against our published schema")
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as problem:
        raise malformed from problem
    names = [child.tag for child in root]
    wanted = ["GlacierJobParameters"] if tiering else ["Days", "GlacierJobParameters"]
    if root.tag != NAMESPACE + "RestoreRequest" or names != [NAMESPACE + n for n in wanted]:
        raise malformed
    tier = root.findtext(f"{NAMESPACE}GlacierJobParameters/{NAMESPACE}Tier")
    if tier not in ("Standard", "Bulk", "Expedited"):
        raise malformed
    if deep and tier == "Expedited":
        raise Refused(400, "InvalidArgument",
                      "Retrieval option is not supported by this storage class")
    days = 1 if tiering else int(root.findtext(NAMESPACE + "Days"))
    if days < 1:
        raise Refused(400, "InvalidArgument", "Days")
    return days, tier


def restore(request, thing, now, seconds):
    """The status of the answer."""
    settle(thing, now)
    tiering = thing.storage_class == "INTELLIGENT_TIERING"
    if not is_archived(thing, now) and thing.copy is None:
        raise Refused(403, "ObjectAlreadyInActiveTierError",
                      "This action is not allowed against this storage tier.")
    if request.headers.get("content-type") != "application/xml" or request.query.get("restore") != "":
        raise Refused(400, "InvalidRequest", "not a restore request")
    deep = "DEEP_ARCHIVE" in thing.storage_class + thing.archive_tier
    days, _ = parse(request.body, deep, tiering)
    if thing.copy is not None and now < thing.copy[0]:
        raise Refused(409, "RestoreAlreadyInProgress", "Object restore is already in progress")
    there = thing.copy is not None
    ready = now if there else now + seconds
    thing.copy = (ready, (int(ready + days * DAY) // DAY + 1) * DAY)  # midnight, UTC
    return 200 if there else 202
