"""What stops a release: each of its faults alone."""

import pytest

from wheels.release import lacking

CHANGELOG = "# Changes\n\n## 0.2.0 (2026-12-03)\n\n## 0.1.0 (2026-11-01)\n"


@pytest.mark.parametrize("tag", ["v0.2.0", "v0.2.0rc1"])
def test_a_version_that_lacks_nothing(tag):
    changelog = CHANGELOG.replace("0.2.0", tag[1:])
    assert list(lacking("", [tag, "nightly"], changelog, {"0.1.0", "0.2.0"})) == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"status": " M README.md"}, "aren't committed"),
        ({"tags": []}, "has 0 tags"),
        ({"tags": ["0.2.0"]}, "has 0 tags"),
        ({"tags": ["v0.2.0", "v0.2.1"]}, "has 2 tags"),
        ({"tags": ["v0.1.0"]}, "doesn't begin with '0.1.0 (YYYY-MM-DD)': it begins with '0.2.0 (2026-12-03)'"),
        ({"changelog": "## 0.2.0 (unreleased)"}, "it begins with '0.2.0 (unreleased)'"),
        ({"changelog": ""}, "doesn't begin"),
        ({"golden": {"0.1.0"}}, "tests/golden/0.2.0"),
    ],
)
def test_what_is_lacking_is_said(changed, told):
    given = {"status": "", "tags": ["v0.2.0"], "changelog": CHANGELOG, "golden": {"0.1.0", "0.2.0"}} | changed
    (said,) = lacking(**given)
    assert told in said
