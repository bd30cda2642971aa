"""Small pictures of what files hold."""
