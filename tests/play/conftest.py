"""A server and a page of it, for the tests of this folder."""

import pytest

for package in ("starlette", "uvicorn", "websockets"):
    pytest.importorskip(package)

from page_client import Page, running  # noqa: E402 - it imports them


@pytest.fixture(scope="module")
def site():
    with running() as started:
        yield started


@pytest.fixture
def page(site):
    with Page(site) as opened:
        yield opened
