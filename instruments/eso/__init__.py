"""Instruments of the European Southern Observatory."""
