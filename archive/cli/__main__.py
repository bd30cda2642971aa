"""``python -m archive.cli`` is ``onedfs``."""

from archive.cli import main

if __name__ == "__main__":
    main()
