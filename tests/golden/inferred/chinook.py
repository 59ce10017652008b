"""What the database chinook holds. Written by `sternpost contract infer`, for you to change."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sternpost import (
    Browse,
    Contract,
    Many,
    One,
    Read,
    Resource,
    Sternpost,
    field,
    many,
    one,
    scope,
)


class Album(Resource, prefix="alb", table="Album"):
    """A row of Album."""

    id: str = field(column="AlbumId")
    title: str = field(max_length=160, column="Title")
    artist: One[Artist] = one(filter=True, column="ArtistId")
    tracks: Many[Track]

    browse = Browse(allow=scope("albums:read"))
    read = Read(allow=scope("albums:read"))


class Artist(Resource, prefix="art", table="Artist"):
    """A row of Artist."""

    id: str = field(column="ArtistId")
    name: str | None = field(max_length=120, column="Name")
    albums: Many[Album]

    browse = Browse(allow=scope("artists:read"))
    read = Read(allow=scope("artists:read"))


class Customer(Resource, prefix="cus", table="Customer"):
    """A row of Customer."""

    id: str = field(column="CustomerId")
    first_name: str = field(max_length=40, column="FirstName")
    last_name: str = field(max_length=20, column="LastName")
    company: str | None = field(max_length=80, column="Company")
    address: str | None = field(max_length=70, column="Address")
    city: str | None = field(max_length=40, column="City")
    state: str | None = field(max_length=40, column="State")
    country: str | None = field(max_length=40, column="Country")
    postal_code: str | None = field(max_length=10, column="PostalCode")
    phone: str | None = field(max_length=24, column="Phone")
    fax: str | None = field(max_length=24, column="Fax")
    email: str = field(max_length=60, column="Email")
    support_rep: One[Employee] | None = one(filter=True, column="SupportRepId")
    invoices: Many[Invoice]

    browse = Browse(allow=scope("customers:read"))
    read = Read(allow=scope("customers:read"))


class Employee(Resource, prefix="emp", table="Employee"):
    """A row of Employee."""

    id: str = field(column="EmployeeId")
    last_name: str = field(max_length=20, column="LastName")
    first_name: str = field(max_length=20, column="FirstName")
    title: str | None = field(max_length=30, column="Title")
    reports_to: One[Employee] | None = one(filter=True, column="ReportsTo")
    birth_date: datetime | None = field(column="BirthDate")
    hire_date: datetime | None = field(column="HireDate")
    address: str | None = field(max_length=70, column="Address")
    city: str | None = field(max_length=40, column="City")
    state: str | None = field(max_length=40, column="State")
    country: str | None = field(max_length=40, column="Country")
    postal_code: str | None = field(max_length=10, column="PostalCode")
    phone: str | None = field(max_length=24, column="Phone")
    fax: str | None = field(max_length=24, column="Fax")
    email: str | None = field(max_length=60, column="Email")
    customers: Many[Customer]
    employees: Many[Employee]

    browse = Browse(allow=scope("employees:read"))
    read = Read(allow=scope("employees:read"))


class Genre(Resource, prefix="gen", table="Genre"):
    """A row of Genre."""

    id: str = field(column="GenreId")
    name: str | None = field(max_length=120, column="Name")
    tracks: Many[Track]

    browse = Browse(allow=scope("genres:read"))
    read = Read(allow=scope("genres:read"))


class Invoice(Resource, prefix="inv", table="Invoice"):
    """A row of Invoice."""

    id: str = field(column="InvoiceId")
    customer: One[Customer] = one(filter=True, column="CustomerId")
    invoice_date: datetime = field(column="InvoiceDate")
    billing_address: str | None = field(max_length=70, column="BillingAddress")
    billing_city: str | None = field(max_length=40, column="BillingCity")
    billing_state: str | None = field(max_length=40, column="BillingState")
    billing_country: str | None = field(max_length=40, column="BillingCountry")
    billing_postal_code: str | None = field(max_length=10, column="BillingPostalCode")
    total: Decimal = field(decimal_places=2, max_digits=10, column="Total")
    invoice_lines: Many[InvoiceLine]

    browse = Browse(allow=scope("invoices:read"))
    read = Read(allow=scope("invoices:read"))


class InvoiceLine(Resource, prefix="inl", table="InvoiceLine"):
    """A row of InvoiceLine."""

    id: str = field(column="InvoiceLineId")
    invoice: One[Invoice] = one(filter=True, column="InvoiceId")
    track: One[Track] = one(filter=True, column="TrackId")
    unit_price: Decimal = field(decimal_places=2, max_digits=10, column="UnitPrice")
    quantity: int = field(column="Quantity")

    browse = Browse(allow=scope("invoice-lines:read"))
    read = Read(allow=scope("invoice-lines:read"))


class MediaType(Resource, prefix="met", table="MediaType"):
    """A row of MediaType."""

    id: str = field(column="MediaTypeId")
    name: str | None = field(max_length=120, column="Name")
    tracks: Many[Track]

    browse = Browse(allow=scope("media-types:read"))
    read = Read(allow=scope("media-types:read"))


class Playlist(Resource, prefix="pla", table="Playlist"):
    """A row of Playlist."""

    id: str = field(column="PlaylistId")
    name: str | None = field(max_length=120, column="Name")
    tracks: Many[Track] = many(
        through="PlaylistTrack",
        columns=["PlaylistId", "TrackId"],
    )

    browse = Browse(allow=scope("playlists:read"))
    read = Read(allow=scope("playlists:read"))


class Track(Resource, prefix="tra", table="Track"):
    """A row of Track."""

    id: str = field(column="TrackId")
    name: str = field(max_length=200, column="Name")
    album: One[Album] | None = one(filter=True, column="AlbumId")
    media_type: One[MediaType] = one(filter=True, column="MediaTypeId")
    genre: One[Genre] | None = one(filter=True, column="GenreId")
    composer: str | None = field(max_length=220, column="Composer")
    milliseconds: int = field(column="Milliseconds")
    bytes: int | None = field(column="Bytes")
    unit_price: Decimal = field(decimal_places=2, max_digits=10, column="UnitPrice")
    invoice_lines: Many[InvoiceLine]
    playlists: Many[Playlist] = many(
        through="PlaylistTrack",
        columns=["TrackId", "PlaylistId"],
    )

    browse = Browse(allow=scope("tracks:read"))
    read = Read(allow=scope("tracks:read"))


contract = Contract(
    "chinook",
    resources=[
        Album,
        Artist,
        Customer,
        Employee,
        Genre,
        Invoice,
        InvoiceLine,
        MediaType,
        Playlist,
        Track,
    ],
    schema="external",
)
app = Sternpost(contract)
