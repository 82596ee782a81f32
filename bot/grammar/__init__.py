"""Text to command and back: the one grammar behind /deploy, mentions, REST and the command line.

Pure, and rather strict than clever: a word that is not understood refuses the whole line, with a suggestion.
"""

from bot.grammar.mistakes import CODES, Code, WordsError
from bot.grammar.parse import parse, parse_line
from bot.grammar.places import Known
from bot.grammar.render import render
from bot.grammar.usage import usage

__all__ = ["CODES", "Code", "Known", "WordsError", "parse", "parse_line", "render", "usage"]
