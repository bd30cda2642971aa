"""Bytes and headers of the files of the archive."""
