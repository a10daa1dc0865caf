"""A server and a page, for the tests of this folder."""

import pytest

for package in ("starlette", "uvicorn"):
    pytest.importorskip(package)

from node_page import Page  # noqa: E402 - the imports above have to come first
from served_client import serving  # noqa: E402


@pytest.fixture(scope="module")
def site():
    with serving() as started:
        yield started


@pytest.fixture
def page():
    with Page() as opened:
        yield opened
