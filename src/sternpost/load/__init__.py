"""Load tests: calls made from the contract at a rate that does not wait for answers, measured against objectives."""
