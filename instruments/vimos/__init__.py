"""VIMOS at the VLT."""
