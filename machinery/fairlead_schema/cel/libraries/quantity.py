"""
Quantities: ``quantity('1Gi').add(quantity('10Mi')).isGreaterThan(quantity('1G'))``.

Source: k8s.io/apiserver/pkg/cel/library/quantity.go and k8s.io/apimachinery/pkg/api/resource.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from fairlead_api import quantity as amounts
from fairlead_schema.cel import types as t
from fairlead_schema.cel.declarations import CallEstimate, Function, Library, Overload
from fairlead_schema.cel.libraries import costs
from fairlead_schema.cel.types import Type
from fairlead_schema.cel.values import EvaluationError, LibraryValue, Value

QUANTITY_TYPE = Type("kubernetes.Quantity")
_INT64 = 2**63
_NANO = -9
_LARGEST_POWER, _LEAST_POWER, _STEP = 308, -323, 32


@dataclass(frozen=True, slots=True)
class Quantity(LibraryValue):
    """
    An amount.

    Attributes:
        small: Whether Go keeps it in 64 bits.
        computed: Whether it came of adding or subtracting: Kubernetes cannot compare with such a one on the right of
            ``==``.
    """

    cel_type: ClassVar[Type] = QUANTITY_TYPE

    amount: amounts.Quantity
    small: bool
    computed: bool = False

    def equals(self, other: Value) -> bool:
        """Compare amounts; ``1`` equals ``1000m``."""
        if not isinstance(other, Quantity) or other.computed:
            raise EvaluationError("no such overload")
        return self.amount == other.amount

    def integer(self) -> int | None:
        """Return it as an integer, where Go has that without rounding."""
        amount = self.amount
        if not self.small or amount.scale < 0 or (amount.scale > len(str(_INT64)) and amount.digits):
            return None
        number = int(amount.digits * 10**amount.scale) if amount.digits else 0
        return number if _fits(number) else None

    def __str__(self) -> str:
        """Write the canonical form."""
        return str(self.amount)


def _fits(number: int) -> bool:
    return -_INT64 <= number < _INT64


def _to_quantity(text: str) -> Quantity:
    try:
        amount, small = amounts.parse(text), amounts.fits_int64(text)
    except amounts.QuantityError as error:
        raise EvaluationError(str(error)) from error
    capped = abs(amount.digits) == _INT64 - 1 and not amount.scale
    if not small and not capped and amount.digits and amount.scale <= _LARGEST_POWER:
        # Go has what is neither small nor cut to the most it allows in billionths, which sums and floats tell.
        amount = amounts.Quantity(amount.digits * 10 ** (amount.scale - _NANO), _NANO, amount.notation)
    return Quantity(amount, small)


def _is_quantity(text: str) -> bool:
    try:
        amounts.parse(text)
    except amounts.QuantityError:
        return False
    return True


def _sign(quantity: Quantity) -> int:
    return (quantity.amount.digits > 0) - (quantity.amount.digits < 0)


def _is_integer(quantity: Quantity) -> bool:
    return quantity.integer() is not None


def _as_integer(quantity: Quantity) -> int:
    number = quantity.integer()
    if number is None:
        raise EvaluationError("cannot convert value to integer")
    return number


def _as_float(quantity: Quantity) -> float:
    """Multiply as Go does, which loses what the nearest double would keep."""
    digits, scale = quantity.amount.digits, quantity.amount.scale
    base = float(digits)
    return base * _power_of_ten(scale) if scale else base


def _power_of_ten(exponent: int) -> float:
    """Return 10**exponent as Go's math.Pow10 does: from two tables."""
    if exponent > _LARGEST_POWER:
        return float("inf")
    if exponent < _LEAST_POWER:
        return 0.0
    whole, rest = divmod(abs(exponent), _STEP)
    if exponent < 0:
        return float(f"1e-{whole * _STEP}") / float(f"1e{rest}")
    return float(f"1e{whole * _STEP}") * float(f"1e{rest}")


def _compare(left: Quantity, right: Quantity) -> int:
    return (left.amount > right.amount) - (left.amount < right.amount)


def _is_greater(left: Quantity, right: Quantity) -> bool:
    return left.amount > right.amount


def _is_less(left: Quantity, right: Quantity) -> bool:
    return left.amount < right.amount


def _add(left: Quantity, right: Quantity) -> Quantity:
    try:
        total = left.amount + right.amount
    except amounts.QuantityError as error:
        raise EvaluationError(str(error)) from error
    if not right.amount.digits:
        total = amounts.Quantity(left.amount.digits, left.amount.scale, total.notation)
    small = left.small and right.small and _fits(total.digits) and _shifted_fit(left.amount, right.amount)
    return Quantity(total, small, computed=True)


def _shifted_fit(left: amounts.Quantity, right: amounts.Quantity) -> bool:
    """Tell whether the amount with the larger scale fits at the smaller one."""
    if not left.digits or not right.digits:
        return True
    larger, shift = (left, left.scale - right.scale) if left.scale > right.scale else (right, right.scale - left.scale)
    return _fits(larger.digits * 10**shift)


def _subtract(left: Quantity, right: Quantity) -> Quantity:
    taken = amounts.Quantity(-right.amount.digits, right.amount.scale, right.amount.notation)
    return _add(left, Quantity(taken, right.small))


def _of(number: int) -> Quantity:
    return Quantity(amounts.Quantity(number, 0, amounts.DECIMAL_EXPONENT), small=True)


def _add_integer(left: Quantity, right: int) -> Quantity:
    return _add(left, _of(right))


def _subtract_integer(left: Quantity, right: int) -> Quantity:
    return _subtract(left, _of(right))


_NOMINAL = CallEstimate(costs.ONE)
_READ, _READ_ESTIMATE = costs.read(), costs.estimate_read()
_ONE, _TWO, _MIXED = (QUANTITY_TYPE,), (QUANTITY_TYPE, QUANTITY_TYPE), (QUANTITY_TYPE, t.INT)


def _form(key: str, arguments: tuple[Type, ...], result: Type, call: Callable[..., Value]) -> Overload:
    return Overload(key, arguments, result, call, key != "quantity_sign", lambda _: _NOMINAL)


QUANTITIES = Library(
    "kubernetes.quantity",
    (
        Function(
            "quantity",
            (Overload("string_to_quantity", (t.STRING,), QUANTITY_TYPE, _to_quantity, False, _READ_ESTIMATE, _READ),),
        ),
        Function(
            "isQuantity",
            (Overload("is_quantity_string", (t.STRING,), t.BOOL, _is_quantity, False, _READ_ESTIMATE, _READ),),
        ),
        Function("sign", (_form("quantity_sign", _ONE, t.INT, _sign),)),
        Function("isGreaterThan", (_form("quantity_is_greater_than", _TWO, t.BOOL, _is_greater),)),
        Function("isLessThan", (_form("quantity_is_less_than", _TWO, t.BOOL, _is_less),)),
        Function("compareTo", (_form("quantity_compare_to", _TWO, t.INT, _compare),)),
        Function("asApproximateFloat", (_form("quantity_get_float", _ONE, t.DOUBLE, _as_float),)),
        Function("asInteger", (_form("quantity_get_int", _ONE, t.INT, _as_integer),)),
        Function("isInteger", (_form("quantity_is_integer", _ONE, t.BOOL, _is_integer),)),
        Function(
            "add",
            (
                _form("quantity_add", _TWO, QUANTITY_TYPE, _add),
                _form("quantity_add_int", _MIXED, QUANTITY_TYPE, _add_integer),
            ),
        ),
        Function(
            "sub",
            (
                _form("quantity_sub", _TWO, QUANTITY_TYPE, _subtract),
                _form("quantity_sub_int", _MIXED, QUANTITY_TYPE, _subtract_integer),
            ),
        ),
    ),
)
