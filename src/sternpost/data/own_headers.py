"""Headers that an operation declares, as its function sets them: `ctx.headers["Retry-After"] = "5"`."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

from sternpost.web import check_value


class OwnHeaders(MutableMapping[str, str]):
    """The headers of an answer. Only declared ones can be set; names are compared without regard to case."""

    def __init__(self, declared: tuple[str, ...]) -> None:
        self._declared = {name.lower(): name for name in declared}
        self._values: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __setitem__(self, name: str, value: str) -> None:
        if name.lower() not in self._declared:
            known = ", ".join(self._declared.values()) or "none"
            raise ValueError(f"The operation does not declare the header {name[:64]!r}; it declares {known}")
        check_value(name, value)
        self._values[name.lower()] = value

    def __delitem__(self, name: str) -> None:
        del self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
