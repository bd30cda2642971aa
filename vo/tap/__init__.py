"""Table Access Protocol (IVOA TAP 1.1)."""
