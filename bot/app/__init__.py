"""The composition root: settings become a running bot here, and only here adapters are chosen."""


def main() -> int:
    """Run the console script `sluice`; returns the exit code."""
    from bot.app.console import main as run  # noqa: PLC0415 - parts of the bot are used without its command line

    return run()
