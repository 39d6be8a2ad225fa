"""Numbers with a suffix: Kubernetes quantities (`80Gi`, `500m`) and counts of tokens or parameters (`15T`, `8B`)."""

import re
from decimal import ROUND_CEILING, Decimal
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}
_DECIMAL = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}


class _Suffixed(str):
    """A number as it was written; compares and serializes as that string."""

    __slots__ = ()
    SUFFIXES: ClassVar[dict[str, Decimal]]
    PATTERN: ClassVar[str]
    MAX_LENGTH: ClassVar[int] = 24
    EXAMPLE: ClassVar[str]

    @classmethod
    def parse(cls, value: object) -> Self:
        """The value, if it is a number with one of our suffixes. Raises ValueError."""
        text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if len(text) > cls.MAX_LENGTH or re.fullmatch(cls.PATTERN, text) is None:
            raise ValueError(
                f"{value!r} is not a number with one of the suffixes {', '.join(filter(None, cls.SUFFIXES))}. "
                f"Write it like {cls.EXAMPLE}."
            )
        return cls(text)

    def to_decimal(self) -> Decimal:
        """The exact value."""
        digits = self.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
        return Decimal(digits) * self.SUFFIXES[self[len(digits) :]]

    def to_int(self) -> int:
        """The value rounded up: bytes, tokens, parameters."""
        return int(self.to_decimal().to_integral_value(ROUND_CEILING))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {
            "x-kubernetes-int-or-string": True,
            "pattern": cls.PATTERN,
            "maxLength": cls.MAX_LENGTH,
            "minimum": 0,
        }


class Quantity(_Suffixed):
    """A Kubernetes quantity: bytes (`80Gi`), cores (`500m`, `16`)."""

    SUFFIXES = {"": Decimal(1), "m": Decimal("0.001")} | {k: Decimal(v) for k, v in (_BINARY | _DECIMAL).items()}
    PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$"
    EXAMPLE = "80Gi or 500m"


class Number(_Suffixed):
    """A count of tokens or parameters, with decimal suffixes: `15T`, `8B` (billion), `350M`."""

    SUFFIXES = {"": Decimal(1), "K": Decimal(10**3), "B": Decimal(10**9)} | {
        k: Decimal(v) for k, v in _DECIMAL.items() if k != "P"
    }
    PATTERN = r"^[0-9]+(\.[0-9]+)?[kKMGBT]?$"
    EXAMPLE = "15T or 350M"
