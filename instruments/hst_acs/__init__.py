"""The Hubble Space Telescope's Advanced Camera for Surveys."""
