"""Tables that users bring with a query (TAP 1.1, section 2.7.6)."""
