"""The page at ``/``: what is here, where the services are, how to ask them."""
