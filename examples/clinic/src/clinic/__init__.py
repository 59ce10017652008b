"""The clinic: `contract` says what there is, `services` what it does, `app` puts them together."""
