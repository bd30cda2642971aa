"""The protocols of the Virtual Observatory."""
