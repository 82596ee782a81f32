"""Who asked, what happens next, where it is remembered."""
