"""`python -m trivium`: the command line, for environments without the script on their path."""

from trivium.cli import main

if __name__ == "__main__":
    main()
