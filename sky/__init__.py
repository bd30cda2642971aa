"""Geometry on the celestial sphere: regions, cells, coverage, frames, times and spectral axes.

Everything inside is ICRS degrees unless a name says otherwise. Nothing here reads or writes files.
"""
