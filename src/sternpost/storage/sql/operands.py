"""What conditions compare with: constants, slots, and values of the caller, as the columns take them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, literal_column

from sternpost.kinds import without_case
from sternpost.plan.caller import OfCaller
from sternpost.plan.model import FieldPlan
from sternpost.plan.query import Constant, Now, Operand, Outside, Subject, Tenant, ValueAt
from sternpost.plan.values import from_plan
from sternpost.storage.sql.codecs import Codecs
from sternpost.storage.sql.dialect import Codec, Dialect
from sternpost.storage.sql.gate import identity_kind
from sternpost.storage.sql.statement import NOW, SUBJECT, TENANT, Assembly


def constant(text: str) -> Any:
    """SQL of our own, written out."""
    written: ColumnElement[Any] = literal_column(text)
    return written


def folding(encode: Codec, folded: bool) -> Codec:
    """The codec, for text without the case of its letters where that is asked for."""
    if not folded or encode is None:
        return without_case if folded else encode
    return lambda value: encode(without_case(value))


class Operands:
    """Writes operands into a statement."""

    def __init__(self, dialect: Dialect, codecs: Codecs) -> None:
        self.dialect = dialect
        self.codecs = codecs

    def of(self, operand: Operand, field: FieldPlan, assembly: Assembly, *, folded: bool = False) -> Any:
        """What a field is compared with, as the field's column takes it; `folded` for text without the case of its
        letters."""
        match operand:
            case int():
                slot = assembly.slot(operand, folding(self.codecs.encode(field), folded))
                return self.dialect.compared(slot, field)
            case Subject() | Tenant():
                name = (SUBJECT if isinstance(operand, Subject) else TENANT) + identity_kind(field)
                # not by the database: the collation of a parameter knows letters beyond ASCII
                known = assembly.named(name, without_case, ".folded") if folded else assembly.named(name)
                return self.dialect.compared(known, field)
            case Constant(value):
                return constant(self._literal(value, field, folded))
            case Now():
                return self.dialect.compared(assembly.named(NOW, self.codecs.encode(field)), field)
            case OfCaller():
                value = assembly.of_caller(operand, folding(self.codecs.encode(field), folded))
                return self.dialect.compared(value, field)
            case ValueAt() | Outside():
                raise AssertionError("another value of the row is a column, not a parameter")
            case None:
                raise AssertionError("only isNull compares with nothing")

    def one_of(
        self, column: Any, operand: Operand, field: FieldPlan, assembly: Assembly, *, folded: bool
    ) -> ColumnElement[bool]:
        if isinstance(operand, Constant):
            return column.in_([constant(self._literal(value, field, folded)) for value in operand.value])
        encode = folding(self.codecs.encode_array(field), folded)
        if isinstance(operand, OfCaller):
            return self.dialect.is_any_of(column, assembly.of_caller(operand, encode), field)
        assert isinstance(operand, int), "a list is a constant, in a slot or the caller's"
        return self.dialect.is_any_of(column, assembly.slot(operand, encode), field)

    def _literal(self, value: Any, field: FieldPlan, folded: bool) -> str:
        """A constant of the contract as SQL. It comes from the author, never from a client."""
        encode = folding(self.dialect.encode(field), folded)
        typed = from_plan(field, value)
        return self.dialect.literal(encode(typed) if encode else typed)
