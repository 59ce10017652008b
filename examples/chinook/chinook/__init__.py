"""The music store of the Chinook sample database, served by Sternpost."""
