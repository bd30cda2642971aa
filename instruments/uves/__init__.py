"""UVES at the VLT."""
