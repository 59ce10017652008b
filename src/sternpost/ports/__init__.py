"""What Sternpost needs of storage and of authentication, as protocols. Drivers implement them; nothing here imports
one."""
