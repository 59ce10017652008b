"""The compiled contract: plain, frozen, serialisable data that everything else reads."""
