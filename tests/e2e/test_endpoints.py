"""Hosts as botocore makes them."""

import runpy

from conftest import DATA


def test_table_is_what_botocore_says_today(monkeypatch):
    """test_endpoint.c holds penates to the same table."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    maker = runpy.run_path(str(DATA / "make_endpoint_cases.py"))
    assert maker["table"]() == maker["FILE"].read_text()
