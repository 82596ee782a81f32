"""Slack as a door and as a picture: listeners are thin, cards are pure, the announcer makes Slack match the row."""
