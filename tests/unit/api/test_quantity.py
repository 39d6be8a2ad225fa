"""Quantities and counts: exact values, the spelling kept, everything else refused."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from trivium.api.quantity import Number, Quantity


@pytest.mark.parametrize(
    ("text", "want"),
    [("80Gi", 80 * 2**30), ("500m", 1), ("16", 16), ("1.5Gi", 3 * 2**29), ("2k", 2000), ("0", 0), ("1P", 10**15)],
)
def test_a_quantity_rounds_up_to_whole_units(text, want):
    assert Quantity(text).to_int() == want


def test_a_quantity_is_exact_below_one():
    assert Quantity("200m").to_decimal() == Decimal("0.2")


@pytest.mark.parametrize(
    ("text", "want"),
    [("15T", 15 * 10**12), ("8B", 8 * 10**9), ("1.7B", 17 * 10**8), ("350M", 35 * 10**7), ("9K", 9000)],
)
def test_a_number_counts_tokens_and_parameters_in_decimal_suffixes(text, want):
    assert Number(text).to_int() == want


@pytest.mark.parametrize("value", ["80 Gi", "-1", "1e9", "", "Gi", "8b", 1.5, True, None, "9" * 25, "1\n"])
def test_everything_else_is_refused_with_an_example(value):
    for kind in (Quantity, Number):
        with pytest.raises(ValidationError, match="Write it like"):
            TypeAdapter(kind).validate_python(value)


@settings(deadline=None)  # the first call builds pydantic's validator
@given(st.integers(0, 10**15))
def test_whole_numbers_are_taken_as_they_are(value):
    read = TypeAdapter(Quantity).validate_json(json.dumps(value))
    assert (read, read.to_int()) == (str(value), value)
    assert TypeAdapter(Quantity).dump_json(read) == json.dumps(str(value)).encode()
