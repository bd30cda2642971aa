"""VISIR at the VLT."""
