"""Any FITS file."""
