"""``python -m nightread``: the console where its script is not on the path."""

from nightread.console import main

if __name__ == "__main__":
    main()
