"""MUSE at the VLT."""
