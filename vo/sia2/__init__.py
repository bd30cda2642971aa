"""Simple Image Access 2.0."""
