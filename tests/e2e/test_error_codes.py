"""The error codes that test_error_map.c has rows for, held against what botocore knows."""

import re

import botocore.session
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker
from conftest import ROOT

ROW = re.compile(r'\{(?:LIST|VERSIONS|GET|HEAD|RESTORE), \d+, "([^"]+)",.*?(VERDICT_\w+)', re.DOTALL)

# Of the API reference's list, which botocore's model quotes: what takes another kind of request.
NOT_OURS = {
    "an upload": """EntityTooLarge EntityTooSmall InlineDataTooLarge InvalidPart InvalidPartOrder
        InvalidStorageClass MetadataTooLarge NoSuchUpload""",
    "a form": """IncorrectNumberOfFilesInPostRequest InvalidPolicyDocument MalformedPOSTRequest
        MaxPostPreDataLengthExceededError RequestIsNotMultiPartContent UserKeyMustBeSpecified""",
    "a bucket that is made or removed": """BucketAlreadyExists BucketAlreadyOwnedByYou
        BucketNotEmpty InvalidLocationConstraint TooManyBuckets""",
    "a setting of a bucket or an object": """AmbiguousGrantByEmailAddress
        CrossLocationLoggingProhibited IllegalVersioningConfigurationException
        InvalidTargetBucketForLogging MalformedACLError NoLoggingStatusForKey NoSuchBucketPolicy
        NoSuchLifecycleConfiguration UnresolvableGrantByEmailAddress""",
    "SOAP": "InvalidSOAPRequest MissingAttachment MissingSecurityElement",
    "a torrent": "RequestTorrentOfBucketError",
}
OTHER_SERVICES = {"ProvisionedThroughputExceededException", "TransactionInProgressException",
                  "EC2ThrottledException"}


def rows():
    """Code -> what is done about it."""
    text = (ROOT / "tests" / "unit" / "test_error_map.c").read_text()
    return dict(match.groups() for match in ROW.finditer(text))


def reference():
    model = botocore.session.Session().get_service_model("s3")
    text = model.shape_for("Error").members["Code"].documentation
    return set(re.findall(r"<i>Code:</i>\s*([A-Z][A-Za-z.]{2,})", text))


def test_each_code_of_the_reference_has_a_row():
    others = {code for codes in NOT_OURS.values() for code in codes.split()}
    assert len(reference()) > 70
    assert reference() - others - set(rows()) == set()
    assert others <= reference() and others.isdisjoint(rows())


def test_each_code_that_is_mapped_has_a_row():
    text = (ROOT / "s3" / "error_map.c").read_text()
    mapped = set(re.findall(r'^    \{"([^"]+)", &', text, re.MULTILINE))
    assert len(mapped) > 100
    assert mapped <= set(rows())


def test_what_botocore_tries_again_is_tried_again():
    done = rows()
    busy = set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES) - OTHER_SERVICES
    again = set(TransientRetryableChecker._TRANSIENT_ERROR_CODES)
    assert {done[code] for code in busy - again} == {"VERDICT_SLOW_DOWN"}
    assert {done[code] for code in again} == {"VERDICT_RETRY"}
