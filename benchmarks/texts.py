"""Draw seeded prose without numbers or rare names: new to a server at each draw, and the same for a seed."""

import random
from collections.abc import Callable

SUBJECTS = (
    "the old gardener",
    "my younger sister",
    "a tired shepherd",
    "our nearest neighbor",
    "the village doctor",
    "a friendly postman",
    "her eldest cousin",
    "the new librarian",
    "a careful painter",
    "the ferry captain",
    "his former teacher",
    "a group of students",
    "the night watchman",
    "an elderly lady",
    "the baker's wife",
    "a quiet traveler",
)
PREDICATES = (
    "carried the heavy basket",
    "repaired the wooden fence",
    "described the long journey",
    "painted the garden gate",
    "forgot the wet umbrella",
    "found the missing letter",
    "watered the yellow roses",
    "closed the iron shutters",
    "borrowed the silver lantern",
    "polished the brass handles",
    "followed the muddy footpath",
    "counted the sleeping sheep",
    "noticed the gathering clouds",
    "prepared the evening meal",
    "praised the village choir",
    "examined the broken clock",
)
PLACES = (
    "behind the stone church",
    "beside the frozen river",
    "near the market square",
    "under the chestnut trees",
    "across the narrow bridge",
    "outside the railway station",
    "below the castle walls",
    "along the quiet harbor",
    "at the edge of the forest",
    "in the little kitchen",
    "on the northern hillside",
    "around the empty courtyard",
)
TIMES = (
    "before breakfast",
    "after the storm",
    "during the harvest",
    "late in the autumn",
    "early that morning",
    "until it grew dark",
    "just after sunrise",
    "on a rainy afternoon",
    "when the bells rang",
    "while the snow was falling",
)
CONJUNCTIONS = ("and", "but", "while", "because", "although", "so")
MEDIUM_WORDS, LONG_WORDS = 36, 245  # minimum words of a text; its last sentence adds up to two dozen

# Two fixed texts, the same in every run; the README quotes them.
GREETING = "Hello there."
SENTENCE = (
    "The captain folded his old map, looked across the quiet harbor, and then decided to wait for the morning tide."
)

Draw = Callable[[random.Random], str]


def draw_short(rng: random.Random) -> str:
    """Draw one sentence of about ten words."""
    return format_sentence(f"{rng.choice(SUBJECTS)} {rng.choice(PREDICATES)} {rng.choice(PLACES)}")


def draw_medium(rng: random.Random) -> str:
    """Draw a few sentences, about forty words."""
    return draw_paragraph(rng, MEDIUM_WORDS)


def draw_long(rng: random.Random) -> str:
    """Draw a text of about two hundred and fifty words."""
    return draw_paragraph(rng, LONG_WORDS)


def draw_paragraph(rng: random.Random, words: int) -> str:
    """Draw sentences of both kinds until there are at least so many words."""
    text = draw_short(rng)
    while count_words(text) < words:
        text += " " + rng.choice((draw_short, draw_compound))(rng)
    return text


def draw_compound(rng: random.Random) -> str:
    """Draw one sentence of about twenty words with a comma."""
    first = f"{rng.choice(SUBJECTS)} {rng.choice(PREDICATES)} {rng.choice(TIMES)}"
    return format_sentence(
        f"{first}, {rng.choice(CONJUNCTIONS)} {rng.choice(SUBJECTS)} {rng.choice(PREDICATES)} {rng.choice(PLACES)}"
    )


def format_sentence(words: str) -> str:
    """Capitalize the first letter and add a period."""
    return f"{words[0].upper()}{words[1:]}."


def count_words(text: str) -> int:
    """Count the words between white space."""
    return len(text.split())
