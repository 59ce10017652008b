"""One older version that is none, and not in a list."""

from typing import Any

from sternpost import Browse, Contract, Resource, public


class User(Resource, prefix="usr"):
    name: str

    browse = Browse(allow=public)


version: Any = "v1"
contract = Contract("users", resources=[User], api_version="v2", older=version)
