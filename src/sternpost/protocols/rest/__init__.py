"""REST: addresses, media types, status codes and bodies."""
