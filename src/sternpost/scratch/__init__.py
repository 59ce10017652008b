"""A service that is tried: started with an empty database, and asked what the contract says that it answers."""
