"""`python -m sternpost`, the same as the command `sternpost`."""

from sternpost.cli.main import main

if __name__ == "__main__":
    main()
