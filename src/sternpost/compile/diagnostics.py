"""Mistakes of a contract: collected while compiling, raised together, each with place, code, cause and fix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sternpost.contract.source import Source

CODES: dict[str, str] = {
    "SP001": "the contract's name is malformed",
    "SP002": "the contract lists no resource",
    "SP003": "two classes have the same name",
    "SP004": "an entry of resources is not a resource",
    "SP005": "the API version is malformed",
    "SP006": "two resources have the same table or address",
    "SP007": "two resources have the same id prefix",
    "SP008": "an option of the contract is not a string",
    "SP009": "schema is neither 'own' nor 'external'",
    "SP020": "an option of the contract has a wrong value",
    "SP021": "API keys are declared for an external database",
    "SP022": "the declaration of an older API version is wrong",
    "SP023": "a declared change between API versions is wrong",
    "SP030": "a declared index is malformed",
    "SP031": "a resource cannot be audited",
    "SP032": "a check is not a condition",
    "SP033": "a check asks for what only a call knows",
    "SP034": "a check looks at something other than a field of its row",
    "SP035": "a check compares values that do not fit",
    "SP036": "the name or the text of a check is wrong",
    "SP037": "a rule over rows is declared for an external database",
    "SP038": "a declaration of no_overlap is malformed",
    "SP039": "the start and the end of a span do not fit",
    "SP040": "the tenant field does not exist",
    "SP041": "the tenant field cannot hold a tenant",
    "SP042": "an owned resource declares its own tenant",
    "SP043": "an operation creates tenants",
    "SP050": "a version field is declared wrongly",
    "SP051": "an operation requires a version that the resource does not have",
    "SP060": "a resource cannot keep its deleted rows",
    "SP061": "deleting a row would permanently delete rows that refer to it",
    "SP062": "a restore operation belongs to a resource without soft delete",
    "SP063": "a field cannot be what rows have in common",
    "SP064": "spans of owned items are compared across their owners",
    "SP066": "a database object of one's own is declared wrongly",
    "SP067": "a database object is made by Sternpost itself",
    "SP080": "a field that is computed when its row is read is declared wrongly",
    "SP081": "a computed field would tell what those who read it may not see",
    "SP082": "a list is filtered by a field that is computed when its row is read",
    "SP083": "a field in Python is computed by no function, or by several",
    "SP084": "@computes names no field that a function computes",
    "SP101": "a class keyword is unknown",
    "SP102": "a resource has no id prefix",
    "SP103": "an id prefix is malformed",
    "SP104": "the owner field does not exist",
    "SP105": "the owner field cannot hold an id",
    "SP106": "a resource has no field",
    "SP107": "a unique group is malformed",
    "SP108": "a plural or table name is malformed",
    "SP109": "a class's name is malformed",
    "SP110": "the schema or id of a resource is declared wrongly",
    "SP201": "a type cannot be resolved",
    "SP202": "a type is not supported",
    "SP203": "a field has no type",
    "SP204": "a constraint does not apply to the type",
    "SP205": "a minimum is greater than its maximum",
    "SP206": "a default does not fit its field",
    "SP207": "a pattern is not a regular expression",
    "SP208": "a Decimal does not declare its decimal places",
    "SP209": "a field's name is reserved",
    "SP210": "two fields have the same name in JSON",
    "SP211": "a field never gets a value",
    "SP212": "a plain value is assigned where field() is needed",
    "SP213": "uniqueness is not supported for the type",
    "SP214": "a filter operator is unknown or does not fit",
    "SP215": "an automatic value is declared for the wrong type",
    "SP216": "an option has an unknown value, or one of a wrong type",
    "SP217": "a length is not a positive number",
    "SP218": "an enum is empty or not made of strings",
    "SP219": "a field's name is malformed",
    "SP220": "a Format is declared wrongly",
    "SP221": "a column name is malformed or already used",
    "SP222": "a storage option is unknown or not allowed",
    "SP223": "a field or relation hides a name that is used below it",
    "SP224": "a Payload contains itself",
    "SP225": "the Payloads of a union cannot be told apart",
    "SP226": "labels or an order are declared for what is no enum, or do not fit its values",
    "SP227": "a field of a Payload has an option that only fields of a resource can have",
    "SP301": "a relation's target is not in the contract",
    "SP302": "a list has no reference that points back",
    "SP303": "several references point back to a list",
    "SP304": "the relation named by `by` does not exist",
    "SP305": "an owned resource has operations of its own",
    "SP306": "a resource is owned by two resources",
    "SP307": "on_delete is set_null on a reference that may not be null",
    "SP308": "one() and many() do not match the type",
    "SP309": "a foreign key is declared both as a relation and as a field",
    "SP310": "the bounds of a list are wrong",
    "SP311": "a computed total is wrong",
    "SP312": "a many-to-many relation is wrong",
    "SP313": "the default of a relation is wrong",
    "SP314": "an owned resource has a list that is written with its rows",
    "SP315": "a read scope would hide what an owned list tells",
    "SP316": "link is no policy, or no input refers to the rows of the relation",
    "SP401": "an operation has no policy",
    "SP402": "allow is not a policy",
    "SP403": "an operation is declared twice at the same address",
    "SP404": "a sort field is unknown or cannot be sorted",
    "SP405": "a page size is wrong",
    "SP406": "a transition's field is not a state",
    "SP407": "a transition names an unknown state",
    "SP408": "clients can write a state",
    "SP409": "a transition starts and ends in the same state",
    "SP410": "a custom operation's option is wrong",
    "SP411": "an input or output is not a Payload",
    "SP412": "a time limit is not positive",
    "SP413": "two operations have the same address or id",
    "SP414": "a custom operation has no implementation",
    "SP415": "@implements names an unknown operation",
    "SP416": "an operation is implemented twice",
    "SP417": "an implementation is not an async function",
    "SP418": "an implementation's parameters do not fit",
    "SP419": "the operation takes no implementation",
    "SP420": "an operation's name is malformed",
    "SP421": "an operation has an unsupported type",
    "SP422": "an entry of services is neither a module nor a function with @implements",
    "SP424": "a filter of a list leads to no field that has a filter",
    "SP425": "the number of groups of filters is wrong",
    "SP426": "an own error of an operation is declared wrongly",
    "SP427": "the status of an operation's answer is wrong",
    "SP428": "an own header of an answer is declared wrongly",
    "SP429": "the input of a GET operation cannot be written as parameters of a query",
    "SP430": "a transition takes an input, and nothing uses it",
    "SP431": "the example of an operation does not fit its input",
    "SP440": "a list cannot be searched in a field",
    "SP441": "a list is searched in a field that not everyone may read",
    "SP442": "a list of an external database is searched",
    "SP501": "a policy uses and, or, not, if or in",
    "SP502": "a policy names an unknown field",
    "SP503": "a policy uses is_owner on a resource without an owner field",
    "SP504": "a policy follows something that is not a reference",
    "SP505": "a part of a policy is not a policy",
    "SP506": "a scope is malformed",
    "SP507": "a policy compares with a value that does not fit",
    "SP508": "a policy needs an id that does not exist yet",
    "SP509": "a policy looks at a row, and the operation is about none",
    "SP510": "a policy uses a method or an operator that it does not have",
    "SP511": "a claim is malformed",
    "SP512": "a policy compares with a value of the caller that does not fit",
    "SP513": "a policy looks into something that is no list",
    "SP514": "a policy uses a list as if it were one value",
    "SP515": "a policy uses outer where there is no row outside, or for more than a comparison",
    "SP516": "a policy looks into lists too deeply",
    "SP517": "a policy looks into too many lists",
    "SP518": "a policy looks into lists of a row that does not exist yet",
    "SP519": "the name or the text of a policy is malformed",
    "SP520": "a policy has a name that is never told",
    "SP521": "a policy of an older version of the API looks into lists",
    "SP601": "a media type is malformed, or cannot be answered with",
    "SP602": "an option of a media type is wrong",
    "SP603": "a redirect or a media type is declared in a wrong way",
    "SP604": "a function asks for a part of the request by itself",
    "SP610": "an entry of hooks is no hook",
    "SP611": "a hook is not an async function",
    "SP612": "a hook's parameters do not fit",
    "SP613": "a hook names an unknown operation",
    "SP614": "a hook's place does not exist in its operation",
    "SP615": "a hook is declared twice",
    "SP620": "an entry of provide is no provider",
    "SP621": "a type cannot be provided",
    "SP622": "two providers make the same type",
    "SP623": "a provider is neither per app nor per call",
    "SP624": "a provider's factory cannot be called",
    "SP625": "nothing provides what a parameter asks for",
    "SP626": "providers need each other in a circle",
    "SP627": "a value of the application needs one of a call",
    "SP628": "a parameter does not say what it asks for",
    "SP630": "a start or stop function is wrong",
    "SP631": "an entry of middleware cannot wrap an application",
    "SP632": "a mounted application has a wrong prefix",
    "SP635": "a service swallows an exception",
    "SP636": "a service keeps state between calls",
    "SP637": "an allowed finding gives no reason",
}
"""Every code and what it is about. `tests/reject` holds at least one contract for each."""


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One mistake."""

    source: Source
    code: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.place}: {self.code} {self.message}\n    fix: {self.fix}"

    @property
    def place(self) -> str:
        """File and line, with a path as short as can be."""
        return self.source.place


class ContractError(Exception):
    """A contract that does not compile; `diagnostics` holds every mistake, in the order of the files' lines."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        self.diagnostics = tuple(sorted(set(diagnostics)))
        count = len(self.diagnostics)
        head = f"The contract has {count} mistake{'s' if count > 1 else ''}:"
        super().__init__("\n".join([head, *map(str, self.diagnostics)]))


class Report:
    """Collects the mistakes of one compilation."""

    def __init__(self, codes: Mapping[str, str] = CODES) -> None:
        self.codes = codes
        self.diagnostics: list[Diagnostic] = []

    def add(self, source: Source, code: str, message: str, fix: str) -> None:
        if code not in self.codes:
            raise KeyError(code)
        self.diagnostics.append(Diagnostic(source, code, message, fix))

    def raise_if_any(self) -> None:
        if self.diagnostics:
            raise ContractError(self.diagnostics)
