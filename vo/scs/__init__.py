"""Simple Cone Search (IVOA SCS 1.03)."""
