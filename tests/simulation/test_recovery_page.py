"""docs/recovery.md says what the code does: its tables at once, its diagram by playing the histories again (slow)."""

import pytest

from simulator.recovery_page import PAGE, classes, evictions, page, policies


def test_the_page_lists_the_policies_the_failure_classes_and_kueues_reasons_of_the_code():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for row in (*policies(), *classes(), *evictions()):
        assert row in lines, f"{row}\nis not in {PAGE.name}: run make generate"


@pytest.mark.slow
def test_the_page_is_what_the_histories_draw():
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run make generate"
