"""UWS 1.1: jobs of services that answer later."""
