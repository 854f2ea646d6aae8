"""`python -m ringback`: the same as the command `ringback`."""

from ringback.cli.main import main

if __name__ == "__main__":
    main()
