"""FORS1 and FORS2 at the VLT."""
