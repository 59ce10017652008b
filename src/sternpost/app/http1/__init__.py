"""HTTP/1.1 under our own server (RFC 9112): connections, the requests on them, and how many there may be."""
