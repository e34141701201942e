"""Define the voices and OpenAI's names for them, and parse names of voices and of blends."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from kokoro_server.core.errors import BadRequest
from kokoro_server.core.languages import Gender, Language, quote_name

VOICES: tuple[str, ...] = tuple(
    f"{family}_{name}"
    for family, names in {
        "af": "alloy aoede bella heart jessica kore nicole nova river sarah sky",
        "am": "adam echo eric fenrir liam michael onyx puck santa",
        "bf": "alice emma isabella lily",
        "bm": "daniel fable george lewis",
        "ef": "dora",
        "em": "alex santa",
        "ff": "siwis",
        "hf": "alpha beta",
        "hm": "omega psi",
        "if": "sara",
        "im": "nicola",
        "jf": "alpha gongitsune nezumi tebukuro",
        "jm": "kumo",
        "pf": "dora",
        "pm": "alex santa",
        "zf": "xiaobei xiaoni xiaoxiao xiaoyi",
        "zm": "yunjian yunxi yunxia yunyang",
    }.items()
    for name in names.split()
)
"""Names of Kokoro v1.0's 54 voices: language letter, f or m, underscore, name."""


OPENAI_VOICES: dict[str, str] = {
    "alloy": "af_alloy",
    "ash": "am_adam",
    "ballad": "bm_fable",
    "cedar": "am_michael",
    "coral": "af_sarah",
    "echo": "am_echo",
    "fable": "bm_george",
    "marin": "af_heart",
    "nova": "af_nova",
    "onyx": "am_onyx",
    "sage": "af_bella",
    "shimmer": "af_sky",
    "verse": "am_puck",
}
"""Nearest voice of Kokoro by the name of each of OpenAI's 13 voices."""

# Possessive quantifiers: white space that two neighbours can match would be tried in every split, in quadratic time.
_BLEND_PART = re.compile(r"\s*+([+-]?)\s*+([^\s()+-]{1,64})\s*+(?:\(\s*+([^()]{0,32})\s*+\))?\s*+")
MAX_BLEND_VOICES = 10
"""Maximum number of voices in a blend: more cannot be told apart, and each costs a table in memory."""


@dataclass(frozen=True)
class Voice:
    """Identify a voice or a blend by pairs of name and weight; hashable, so that styles can be cached.

    The weights sum to 1; those of a difference that would sum to 0 or less (`a-b`) have absolute values that sum to 1.
    """

    parts: tuple[tuple[str, float], ...]

    @property
    def name(self) -> str:
        """Return the name as a client writes it: `af_heart`, or `af_bella(0.6667)+af_sky(0.3333)`."""
        if len(self.parts) == 1:
            return self.parts[0][0]
        return "".join(f"{'-' if w < 0 else '+'}{n}({abs(w):.4g})" for n, w in self.parts).removeprefix("+")

    @property
    def language(self) -> Language:
        """Return the language, which is that of the first voice."""
        return get_voice_language(self.parts[0][0])


def get_voice_language(name: str) -> Language:
    """Return the language of a voice, which the first letter of its name gives."""
    return Language(name[0])


def get_voice_gender(name: str) -> Gender:
    """Return the gender of a voice, which the second letter of its name gives."""
    return Gender(name[1])


def find_voice(name: str, allowed: Collection[str] = VOICES, field: str = "voice") -> Voice:
    """Parse the name of a voice or a blend: `a(2)+b(1)` adds styles, `a-b` subtracts the style of b.

    Weights are scaled to a sum of 1. If they sum to 0 or less, as in `a-b`, their absolute values are scaled to a sum
    of 1 instead, as other Kokoro servers do.

    Args:
        name: One of `allowed` or an OpenAI name, ignoring case; or a blend of up to MAX_BLEND_VOICES with weights above
            0 and up to 100.
        allowed: Names that may be used.
        field: The name of the request's field, for error messages.

    Raises:
        BadRequest: If a name is unknown, the syntax or a weight is wrong, or the voices are of several languages.
    """
    if _resolve_name(name, allowed):
        return Voice(((_resolve_name(name, allowed), 1.0),))
    parts = [
        (_require_voice(n, allowed, field, name), _parse_weight(sign, w, field, name))
        for sign, n, w in _split_blend(name, field)
    ]
    # Phonemes come from one language, so voices of several cannot be mixed; the two kinds of English can.
    languages = {get_voice_language(n) for n, _ in parts}
    if len(languages) > 1 and not all(language.is_english for language in languages):
        raise BadRequest(
            f"A blend takes voices of one language, but {quote_name(name)} mixes several.",
            field,
            name,
            "one language",
        )
    return Voice(_normalize_weights(parts, field, name))


def _resolve_name(name: str, allowed: Collection[str]) -> str:
    """Return the name in `allowed` that `name` stands for, or an empty string."""
    plain = name.strip()
    plain = OPENAI_VOICES.get(plain.lower(), plain)
    return plain if plain in allowed else plain.lower() if plain.lower() in allowed else ""


def _require_voice(name: str, allowed: Collection[str], field: str, blend: str) -> str:
    known = _resolve_name(name, allowed)
    if not known:
        near = suggest_names(name, allowed)
        hint = f" Did you mean {' or '.join(near)}?" if near else " GET /voices lists them."
        raise BadRequest(f"Unknown {field} {quote_name(name)}.{hint}", field, blend, near or "a name from GET /voices")
    return known


def _split_blend(name: str, field: str) -> list[tuple[str, str, str | None]]:
    """Split a blend into (sign, name, weight) for each part; the first has no sign. Raises BadRequest."""
    if not name.strip():
        raise BadRequest(f"{field} is empty: expected a name from GET /voices.", field, name, "a name from GET /voices")
    parts: list[tuple[str, str, str | None]] = []
    at = 0
    while at < len(name):
        # Every part but the first needs a sign: "a+b", not "+a" or "a b".
        match = _BLEND_PART.match(name, at)
        if match is None or bool(match[1]) == (not parts) or len(parts) == MAX_BLEND_VOICES:
            raise BadRequest(
                f"{quote_name(name)} is neither a voice nor a blend of up to {MAX_BLEND_VOICES}, "
                "such as af_bella(2)+af_sky(1).",
                field,
                name,
                "a voice or a blend such as af_bella(2)+af_sky(1)",
            )
        parts.append((match[1], match[2], match[3]))
        at = match.end()
    return parts


def _parse_weight(sign: str, weight: str | None, field: str, blend: str) -> float:
    try:
        value = 1.0 if weight is None else float(weight)
    except ValueError:
        value = 0.0
    if not 0 < value <= 100:
        raise BadRequest(
            f"The weight {quote_name(weight or '')} in {field} {quote_name(blend)} is not a number above 0 and up to "
            "100.",
            field,
            blend,
            "weights above 0 and up to 100",
        )
    return -value if sign == "-" else value


def _normalize_weights(parts: Sequence[tuple[str, float]], field: str, blend: str) -> tuple[tuple[str, float], ...]:
    # The same voice may come several times: "a+a-b" is "a(2)-b".
    weights: dict[str, float] = {}
    for name, weight in parts:
        weights[name] = weights.get(name, 0.0) + weight
    weights = {name: weight for name, weight in weights.items() if abs(weight) > 1e-9}
    if not weights:
        raise BadRequest(f"Nothing is left of the blend {quote_name(blend)}.", field, blend, "a blend with a rest")
    total = sum(weights.values())
    scale = total if total > 1e-9 else sum(map(abs, weights.values()))
    return tuple((name, weight / scale) for name, weight in weights.items())


def suggest_names(name: str, allowed: Collection[str]) -> list[str]:
    """Return up to three allowed names that are similar to `name`, with or without the prefix such as `af_`."""
    wanted = name.lower()[:64]
    # Names without their prefix: "heart" -> "af_heart". Reversed, so that the first voice of a name wins.
    tails = {voice.split("_", 1)[1]: voice for voice in sorted(allowed, reverse=True)}
    near = difflib.get_close_matches(wanted, sorted(allowed), 3, 0.6)
    near += [tails[tail] for tail in difflib.get_close_matches(wanted, sorted(tails), 2, 0.7)]
    return list(dict.fromkeys(near))[:3]
