"""ISAAC at the VLT."""
