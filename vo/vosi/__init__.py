"""What every service says about itself (IVOA VOSI 1.1)."""
