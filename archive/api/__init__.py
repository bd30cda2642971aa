"""The JSON API: tables, rows, facets, density, and checks of ADQL."""
