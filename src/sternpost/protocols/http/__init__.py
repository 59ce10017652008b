"""What every protocol over HTTP shares: headers, bodies, errors, CORS, and which address belongs to whom."""
