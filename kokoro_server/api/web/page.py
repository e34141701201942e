"""Serve the web page at `/` and its static files, without a build step and without files of other servers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, current_app, render_template, request

from kokoro_server.api.openapi import HTML_TYPE, describe_route
from kokoro_server.api.state import get_limits
from kokoro_server.audio.samples import FORMATS, SAMPLE_RATE
from kokoro_server.core.errors import NotFound
from kokoro_server.core.languages import Language
from kokoro_server.core.voices import Voice, find_voice, get_voice_gender, get_voice_language

blueprint = Blueprint("page", __name__, template_folder="templates")

STATIC_FOLDER = Path(__file__).parent / "static"
STATIC_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
"""Media types by suffix. `mimetypes` would read the Windows registry, which often has text/plain for .js, and browsers
refuse to run such modules."""

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Content-Security-Policy of the page: files of this server only, and no inline scripts."""
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

SAMPLE_TEXT = (
    "The lamp in the harbour office burned all night. By morning the fog had lifted, and along the pier "
    "the first boats were coming home."
)
"""Initial text of the text area, so that one click plays audio."""

GREETINGS = {
    Language.AMERICAN_ENGLISH: "Hello, I'm {name}. This is how I sound.",
    Language.BRITISH_ENGLISH: "Hello, I'm {name}. This is how I sound.",
    Language.SPANISH: "Hola, soy {name}. Así suena mi voz.",
    Language.FRENCH: "Bonjour, je suis {name}. Voici ma voix.",
    Language.HINDI: "नमस्ते। मेरी आवाज़ ऐसी है।",
    Language.ITALIAN: "Ciao, sono {name}. Questa è la mia voce.",
    Language.JAPANESE: "こんにちは。これが私の声です。",
    Language.PORTUGUESE: "Olá, eu sou {name}. Esta é a minha voz.",
    Language.MANDARIN: "你好，这就是我的声音。",
}
"""Preview sentence of a voice, by its language."""


@dataclass(frozen=True)
class VoiceCard:
    """Hold a voice as the page shows it: its display name, its gender, and its preview sentence."""

    voice: str
    name: str
    gender: str
    greeting: str


@blueprint.get("/")
@describe_route(media_types=(HTML_TYPE,))
def show_page() -> Response:
    """Show the web page."""
    html = render_template(
        "page.html",
        groups=group_voices(get_limits().voices),
        shares=compute_blend_shares(find_voice(get_limits().default_voice, get_limits().voices)),
        longest=get_limits().max_characters,
        formats=list(FORMATS),
        sample_rate=SAMPLE_RATE,
        sample=SAMPLE_TEXT[: get_limits().max_characters],
        has_books="jobs" in current_app.blueprints,
        version=current_app.config["VERSION"],
    )
    return Response(html, mimetype=HTML_TYPE, headers=SECURITY_HEADERS | {"Cache-Control": "no-cache"})


@blueprint.get("/static/<name>")
def send_static(name: str) -> Response:
    """Send a static file of the page; browsers revalidate their cached copy by ETag."""
    # Compared with a listing, so that no name can lead out of the folder.
    path = next((path for path in STATIC_FOLDER.iterdir() if path.name == name), None)
    if path is None:
        raise NotFound(f"The page has no file {name[:60]!r}.")
    response = Response(path.read_bytes(), mimetype=STATIC_MEDIA_TYPES[path.suffix], headers=SECURITY_HEADERS)
    response.cache_control.no_cache = True
    response.add_etag()
    response.make_conditional(request)
    return response


def group_voices(voices: tuple[str, ...]) -> list[tuple[Language, list[VoiceCard]]]:
    """Group the voices by language, in the order of Language; languages without a voice are left out."""
    groups = [
        (language, [make_voice_card(voice) for voice in voices if get_voice_language(voice) is language])
        for language in Language
    ]
    return [(language, group) for language, group in groups if group]


def make_voice_card(voice: str) -> VoiceCard:
    """Return how the page shows a voice: `af_heart` is Heart, female."""
    name = voice.partition("_")[2].capitalize()
    greeting = GREETINGS[get_voice_language(voice)].format(name=name)
    return VoiceCard(voice, name, get_voice_gender(voice).title_name, greeting)


def compute_blend_shares(voice: Voice) -> list[tuple[str, int]]:
    """Return the first two voices of a blend with their shares in percent, which sum to 100.

    A single voice, or a blend with a weight of 0 or less among the two, has one share of 100: the page mixes two.
    """
    (first, weight), *rest = voice.parts
    if not rest or rest[0][1] <= 0 or weight <= 0:
        return [(first, 100)]
    share = round(100 * weight / (weight + rest[0][1]))
    return [(first, share), (rest[0][0], 100 - share)]
