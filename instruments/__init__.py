"""Instrument Packages: who an instrument is, and how its headers become rows."""

from instruments.errors import MappingRefused, PackageError
from instruments.headers import FileHeaders, Hdu, Header
from instruments.mapping import Mapped, Packages, Row, load_packages
from instruments.package import Package

__all__ = [
    "FileHeaders",
    "Hdu",
    "Header",
    "Mapped",
    "MappingRefused",
    "Package",
    "PackageError",
    "Packages",
    "Row",
    "load_packages",
]
