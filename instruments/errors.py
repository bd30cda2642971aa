"""What can go wrong.

PackageError     a package that cannot be used; found when it is loaded
MappingRefused   a file that no true row can be made of; found when it is mapped
"""

from __future__ import annotations


class PackageError(ValueError):
    """A package that contradicts the declarations or itself; says where, what and what to do."""

    def __init__(self, where: str, key: str, message: str) -> None:
        super().__init__(f"{where}: {key}: {message}")
        self.where = where
        self.key = key


class MappingRefused(Exception):  # noqa: N818 - a verdict on a file, not a failure of ours
    """A file that no true row can be made of.

    Attributes
    ----------
    code : "no-data", "contradiction", "identity" or "release-date".
    reason : what is wrong, for the person who delivered the file.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
