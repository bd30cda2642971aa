"""Packages: many files as one archive file that is never written, only sent, from any of its bytes on."""
