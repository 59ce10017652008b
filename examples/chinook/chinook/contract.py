"""The music store: a catalogue that anybody may read, and what the store sells from it.

Lengths and what may be null are those of the original database.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sternpost import (
    Browse,
    Contract,
    Create,
    Delete,
    Email,
    Many,
    One,
    Owned,
    Read,
    Replace,
    Resource,
    Update,
    computed,
    field,
    many,
    one,
    public,
    scope,
    sum_of,
)

catalogue_write = scope("catalogue:write")
store_read = scope("store:read") | scope("store:write")
store_write = scope("store:write")


class Artist(Resource, prefix="art"):
    """Who made an album."""

    name: str | None = field(min_length=1, max_length=120, filter=True)
    albums: Many[Album]

    browse = Browse(sort=["name"], allow=public)
    read = Read(allow=public)
    create = Create(allow=catalogue_write)
    replace = Replace(allow=catalogue_write)
    update = Update(allow=catalogue_write)
    delete = Delete(allow=catalogue_write)


class Album(Resource, prefix="alb"):
    """Tracks that came out together."""

    title: str = field(min_length=1, max_length=160, filter=True)
    artist: One[Artist] = one(filter=True)
    tracks: Many[Track]

    browse = Browse(sort=["title"], allow=public)
    read = Read(allow=public)
    create = Create(allow=catalogue_write)
    replace = Replace(allow=catalogue_write)
    update = Update(allow=catalogue_write)
    delete = Delete(allow=catalogue_write)


class Genre(Resource, prefix="gen"):
    """A kind of music. Including its tracks gives the first 1,000; the list under it has pages."""

    name: str | None = field(min_length=1, max_length=120, unique=True, filter=True)
    tracks: Many[Track]

    browse = Browse(sort=["name"], allow=public)
    read = Read(allow=public)
    create = Create(allow=catalogue_write)
    replace = Replace(allow=catalogue_write)
    update = Update(allow=catalogue_write)
    delete = Delete(allow=catalogue_write)


class MediaType(Resource, prefix="med"):
    """What a track is encoded in."""

    name: str | None = field(min_length=1, max_length=120, unique=True, filter=True)
    tracks: Many[Track]

    browse = Browse(sort=["name"], allow=public)
    read = Read(allow=public)
    create = Create(allow=catalogue_write)
    replace = Replace(allow=catalogue_write)
    update = Update(allow=catalogue_write)
    delete = Delete(allow=catalogue_write)


class Track(Resource, prefix="trk"):
    """One piece of music, or one episode, with its price."""

    name: str = field(min_length=1, max_length=200, filter=True)
    album: One[Album] | None = one(filter=True)
    genre: One[Genre] | None = one(filter=True)
    media_type: One[MediaType] = one(filter=True)
    composer: str | None = field(max_length=220, filter=True)
    milliseconds: int = field(ge=0, le=1_000_000_000, filter=True)
    bytes: int | None = field(ge=0, le=1_000_000_000_000, filter=True)
    unit_price: Decimal = field(decimal_places=2, max_digits=10, ge=0, filter=True)
    playlists: Many[Playlist] = many(through="playlist_tracks")

    browse = Browse(sort=["name", "composer", "milliseconds", "bytes", "unit_price"], allow=public)
    read = Read(allow=public)
    create = Create(allow=catalogue_write)
    replace = Replace(allow=catalogue_write)
    update = Update(allow=catalogue_write)
    delete = Delete(allow=catalogue_write)


class Playlist(Resource, prefix="pla"):
    """Tracks to hear one after the other. Several playlists may have one name."""

    name: str | None = field(min_length=1, max_length=120, filter=True)
    tracks: Many[Track] = many(through="playlist_tracks", max_length=5000)

    browse = Browse(sort=["name"], allow=public)
    read = Read(allow=public)
    create = Create(allow=catalogue_write)
    replace = Replace(allow=catalogue_write)
    update = Update(allow=catalogue_write)
    delete = Delete(allow=catalogue_write)


class Employee(Resource, prefix="emp"):
    """Who works in the store, and for whom."""

    last_name: str = field(min_length=1, max_length=20, filter=True)
    first_name: str = field(min_length=1, max_length=20, filter=True)
    title: str | None = field(max_length=30, filter=True)
    manager: One[Employee] | None = one(filter=True)
    reports: Many[Employee] = many(by="manager")
    customers: Many[Customer]
    birth_date: date | None = field(sensitive=True, filter=True)
    hire_date: date | None = field(filter=True)
    address: str | None = field(max_length=70, sensitive=True)
    city: str | None = field(max_length=40, filter=True)
    state: str | None = field(max_length=40, filter=True)
    country: str | None = field(max_length=40, filter=True)
    postal_code: str | None = field(max_length=10, sensitive=True)
    phone: str | None = field(max_length=24, sensitive=True)
    fax: str | None = field(max_length=24, sensitive=True)
    email: Email | None = field(max_length=60, unique=True, sensitive=True)

    browse = Browse(sort=["last_name", "first_name", "birth_date", "hire_date"], allow=store_read)
    read = Read(allow=store_read)
    create = Create(allow=store_write)
    replace = Replace(allow=store_write)
    update = Update(allow=store_write)
    delete = Delete(allow=store_write)


class Customer(Resource, prefix="cus"):
    """Who buys. The address of one has letters that are not ASCII, so it is a text and not an `Email`."""

    first_name: str = field(min_length=1, max_length=40, filter=True)
    last_name: str = field(min_length=1, max_length=20, filter=True)
    company: str | None = field(max_length=80, filter=True)
    address: str | None = field(max_length=70, sensitive=True)
    city: str | None = field(max_length=40, filter=True)
    state: str | None = field(max_length=40, filter=True)
    country: str | None = field(max_length=40, filter=True)
    postal_code: str | None = field(max_length=10, sensitive=True)
    phone: str | None = field(max_length=24, sensitive=True)
    fax: str | None = field(max_length=24, sensitive=True)
    email: str = field(min_length=3, max_length=60, pattern="^[^@]+@[^@]+$", unique=True, sensitive=True)
    support_rep: One[Employee] | None = one(filter=True)
    invoices: Many[Invoice]

    browse = Browse(sort=["last_name", "first_name", "company", "country", "city"], allow=store_read)
    read = Read(allow=store_read)
    create = Create(allow=store_write)
    replace = Replace(allow=store_write)
    update = Update(allow=store_write)
    delete = Delete(allow=store_write)


class InvoiceLine(Resource, prefix="lin"):
    """A track that was bought, at its price on that day."""

    invoice: One[Invoice]
    track: One[Track]
    unit_price: Decimal = field(decimal_places=2, max_digits=10, ge=0)
    quantity: int = field(ge=1, le=1000)


class Invoice(Resource, prefix="inv"):
    """What a customer bought at once."""

    customer: One[Customer] = one(filter=True)
    invoice_date: datetime = field(filter=True)
    billing_address: str | None = field(max_length=70, sensitive=True)
    billing_city: str | None = field(max_length=40, filter=True)
    billing_state: str | None = field(max_length=40, filter=True)
    billing_country: str | None = field(max_length=40, filter=True)
    billing_postal_code: str | None = field(max_length=10, sensitive=True)
    lines: Owned[InvoiceLine] = many(max_length=200)
    total: Decimal = computed(sum_of("lines", "unit_price", "quantity"), filter=True)

    browse = Browse(sort=["invoice_date", "total", "billing_country", "billing_state"], allow=store_read)
    read = Read(allow=store_read)
    create = Create(allow=store_write)
    replace = Replace(allow=store_write)
    update = Update(allow=store_write)
    delete = Delete(allow=store_write)


contract = Contract(
    "chinook",
    title="Chinook",
    description="A music store: its catalogue, its customers and what they bought.",
    version="1.0.0",
    resources=[Artist, Album, Genre, MediaType, Track, Playlist, Employee, Customer, Invoice, InvoiceLine],
)
