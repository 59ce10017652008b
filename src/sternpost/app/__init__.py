"""Puts everything together: the application, its lifecycle, its server."""
