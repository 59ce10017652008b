"""Users: accounts, and who may do what with them."""

from __future__ import annotations

import pytest
from calls import USERS

from sternpost.testing import Caller, Client


@pytest.mark.proves("users.create", "sign-up", "email-once")
async def test_an_account_is_pending_and_its_address_is_taken(client: Client) -> None:
    ada = {"name": "Ada", "email": "ada@shop.example"}
    made = await client.post(USERS, json=ada)
    assert (made.status, made.data["status"]) == (201, "pending")
    assert (await client.post(USERS, json=ada)).status == 409


@pytest.mark.proves("users.read", "own-account")
@pytest.mark.proves("users.update", "own-name")
async def test_an_account_is_its_own(ada: Caller, bob: Caller) -> None:
    own, other = f"{USERS}/{ada.subject}", f"{USERS}/{bob.subject}"
    assert (await ada.get(own)).data["name"] == "Ada"
    assert (await ada.get(other)).status == 404
    assert (await ada.patch(own, json={"name": "Ada L."})).data["name"] == "Ada L."
    assert (await ada.patch(other, json={"name": "Eve"})).status == 404
    assert (await bob.get(other)).data["name"] == "Bob"


@pytest.mark.proves("users.browse", "by-status")
async def test_users_are_found_by_status(ada: Caller, bob: Caller, shop: Caller) -> None:
    await shop.post(f"{USERS}/{ada.subject}/activate")
    found = (await shop.get(f"{USERS}?status=pending")).json()
    assert ([each["id"] for each in found["data"]], found["meta"]["totalCount"]) == ([bob.subject], 1)
    assert (await ada.get(USERS)).status == 403


@pytest.mark.proves("users.replace", "keeps-status")
async def test_replacing_keeps_the_status(ada: Caller, shop: Caller) -> None:
    own = f"{USERS}/{ada.subject}"
    await shop.post(f"{own}/activate")
    answer = await ada.put(own, json={"name": "Ada L.", "email": "ada.l@shop.example"})
    assert (answer.data["name"], answer.data["status"]) == ("Ada L.", "active")


@pytest.mark.proves("users.activate", "admins-only")
@pytest.mark.proves("users.suspend", "once")
async def test_who_activates_and_suspends(ada: Caller, shop: Caller) -> None:
    own = f"{USERS}/{ada.subject}"
    assert (await ada.post(f"{own}/activate")).status == 403
    assert (await shop.post(f"{own}/activate")).data["status"] == "active"
    assert (await shop.post(f"{own}/suspend")).data["status"] == "suspended"
    assert (await shop.post(f"{own}/suspend")).status == 409


@pytest.mark.proves("users.delete", "gone")
async def test_a_deleted_account_is_gone(ada: Caller, shop: Caller) -> None:
    own = f"{USERS}/{ada.subject}"
    assert (await ada.delete(own)).status == 403
    assert (await shop.delete(own)).status == 204
    assert (await shop.get(own)).status == 404
