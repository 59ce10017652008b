"""The processing of a request, the same for every protocol. Start reading in `execute`."""
