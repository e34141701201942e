"""Normalize text in any of Kokoro's nine languages.

`normalize` works in these steps:

1. Replace typographic characters by plain ones (`cleanup`).
2. Apply the rules that are tried token by token (`scanner`): all of them in English, and those for markup, marks and
   emoji in every language.
3. In the other languages, rewrite numbers, dates, money, units and short forms by the language's own rules: those of a
   `Locale` for the languages that espeak reads, `japanese` and `mandarin` for these two. Runs in a foreign script are
   left alone: the phonemizer of another language reads them.
"""

from collections.abc import Callable
from functools import cache

from kokoro_server.core.languages import Language
from kokoro_server.text.aligned import AlignedText
from kokoro_server.text.normalization.cleanup import clean_text, replace_unreadable
from kokoro_server.text.normalization.locales.locale import LOCALE_FILES, load_locale
from kokoro_server.text.normalization.locales.normalizer import build_rewrite_rules
from kokoro_server.text.normalization.rules.rewriting import RewriteRule, rewrite
from kokoro_server.text.normalization.scanner import scan
from kokoro_server.text.scripts import find_foreign_runs


def normalize(
    text: str | AlignedText, language: Language = Language.AMERICAN_ENGLISH, *, emoji: bool = True
) -> AlignedText:
    """Replace what is written by what is spoken.

    The time is linear in the length of `text`.

    Args:
        text: The source text, or a part of it that knows its place.
        language: The language that it is read in.
        emoji: Whether to name emoji; otherwise they are silent.

    Returns:
        The normalized text, aligned with the source.
    """
    source = AlignedText.from_text(text) if isinstance(text, str) else text
    plain = clean_text(source, keep_wide=not language.is_spaced, keep_thousands=language in LOCALE_FILES)
    scanned = scan(plain, language, emoji)
    rewrite_run = _REWRITERS.get(language)
    return _rewrite_own_script(scanned, language, rewrite_run) if rewrite_run else scanned


_SEPARATOR = "\u200b"
"""Zero-width space between a rewritten run and a run in a foreign script, which must not grow: Amazon $5 -> 5ドル."""


def _rewrite_own_script(
    text: AlignedText, language: Language, rewrite_run: Callable[[AlignedText], AlignedText]
) -> AlignedText:
    """Rewrite the runs between those in a foreign script."""
    readable = AlignedText(replace_unreadable(text.text), text.spans)
    parts: list[AlignedText] = []
    at = 0
    runs = find_foreign_runs(readable.text, language, with_units=False)
    for _, start, end in [*runs, ("", len(text.text), len(text.text))]:
        written = readable.cut(at, start)
        rewritten = rewrite_run(written)
        if rewritten.text != written.text:
            rewritten = _separate(rewritten, at > 0, end > start)
        parts += rewritten, text.cut(start, end)
        at = end
    return AlignedText.join(parts)


def _separate(text: AlignedText, at_start: bool, at_end: bool) -> AlignedText:
    """Add a separator at the ends of a text that is not empty; it stands for the place where it is added."""
    if not text.text:
        return text
    (first, _), (_, last) = text.spans[0], text.spans[-1]
    before = [AlignedText.from_replacement(_SEPARATOR, first, first)] if at_start else []
    after = [AlignedText.from_replacement(_SEPARATOR, last, last)] if at_end else []
    return AlignedText.join([*before, text, *after])


@cache
def _get_locale_rules(language: Language) -> tuple[RewriteRule, ...]:
    return build_rewrite_rules(load_locale(language))


# Rules are imported or compiled with the first text of their language: Mandarin's numbers alone take 0.17 s.
def _make_locale_rewriter(language: Language) -> Callable[[AlignedText], AlignedText]:
    return lambda text: rewrite(text, _get_locale_rules(language))


def _rewrite_japanese(text: AlignedText) -> AlignedText:
    from kokoro_server.text.normalization.japanese import expand_short_forms

    return expand_short_forms(text)


def _rewrite_mandarin(text: AlignedText) -> AlignedText:
    from kokoro_server.text.normalization.mandarin import expand_short_forms

    return expand_short_forms(text)


_REWRITERS = {language: _make_locale_rewriter(language) for language in LOCALE_FILES}
_REWRITERS |= {Language.JAPANESE: _rewrite_japanese, Language.MANDARIN: _rewrite_mandarin}
