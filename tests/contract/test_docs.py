"""What the documentation shows is true: links lead somewhere, YAML validates, the table of classes is the code's."""

import re
from pathlib import Path

import pytest
import yaml

from trivium.api import parse_job
from trivium.api.failure_classes import FAILURE_POLICIES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
JOBS = {"PretrainJob", "SFTJob", "PreferenceJob"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_every_job_that_a_page_shows_is_accepted() -> None:
    shown = 0
    for page in PAGES:
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.DOTALL):
            for document in yaml.safe_load_all(block):
                if isinstance(document, dict) and document.get("kind") in JOBS and "spec" in document:
                    parse_job(document)
                    shown += 1
    assert shown >= 3


def test_the_table_of_failure_classes_says_what_the_code_does() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    answer = {True: "yes", False: "no"}
    for name, policy in FAILURE_POLICIES.items():
        assert f"| {name} | {answer[policy.retried]} | {answer[policy.counted]} | {policy.remedy} |" in page
