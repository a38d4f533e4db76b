"""`python -m bulkpause`: the same command as the installed `bulkpause`."""

from bulkpause.cli import main

if __name__ == "__main__":
    main()
