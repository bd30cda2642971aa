"""The application: settings, HTTP, JSON API, files, access policy, command line."""
