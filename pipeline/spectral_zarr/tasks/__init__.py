"""The phases as plain, repeatable functions; each leaves proof on disk and returns a small receipt."""
