"""`python -m wabot`, where the command itself isn't on the path."""

from wabot.cli import main

if __name__ == "__main__":
    main()
