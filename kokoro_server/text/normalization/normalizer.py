"""Normalize text in any of Kokoro's nine languages.

`normalize_runs` works in these steps:

1. Replace typographic characters by plain ones (`clean`).
2. Apply the rules that are tried token by token (`scanner`): all of them in English, and those for markup, marks and
   emoji in every language.
3. Split the text into runs of its own script and of foreign ones, which other phonemizers read.
4. Rewrite numbers, dates, money, units and short forms by the rules of the run's language: those of a `Locale` for the
   languages that espeak reads, `japanese` and `mandarin` for these two.

`name_signs` is what remains of it for text that is not to be normalized.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from kokoro_server.core.languages import Language
from kokoro_server.text.aligned import AlignedText
from kokoro_server.text.normalization.cleanup import clean_text, replace_unreadable
from kokoro_server.text.normalization.locales.locale import LOCALE_FILES, load_locale
from kokoro_server.text.normalization.locales.normalizer import build_rewrite_rules, build_sign_rules
from kokoro_server.text.normalization.rules.rewriting import RewriteRule, rewrite
from kokoro_server.text.normalization.scanner import replace_emoji, scan
from kokoro_server.text.scripts import find_foreign_runs


class ScriptRun(NamedTuple):
    """Hold a part of a text in one script.

    `foreign` is empty for the text's own script, else the language that can read it: a Kokoro letter or the name of an
    espeak voice.
    """

    text: AlignedText
    foreign: str


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
    return AlignedText.join(run.text for run in normalize_runs(source, language, emoji=emoji))


def normalize_runs(text: AlignedText, language: Language, *, emoji: bool) -> list[ScriptRun]:
    """Normalize a text as `normalize` does, and return its runs by script."""
    runs = _split_by_script(scan(clean(text, language), language, emoji), language, with_units=False)
    return [_rewrite_run(run, _REWRITERS.get(run.foreign or language)) for run in runs]


def name_signs(text: AlignedText, language: Language, *, emoji: bool) -> list[ScriptRun]:
    """Name emoji and the signs that the phonemizer does not read, and change nothing else; return runs by script."""
    runs = _split_by_script(replace_emoji(text, language, emoji=emoji), language, with_units=True)
    return [_rewrite_run(run, None if run.foreign else _SIGN_NAMERS.get(language)) for run in runs]


def clean(text: AlignedText, language: Language) -> AlignedText:
    """Replace typographic characters by plain ones, as far as the language's rules need these."""
    return clean_text(text, keep_wide=not language.is_spaced, keep_thousands=language in LOCALE_FILES)


def _split_by_script(text: AlignedText, language: Language, *, with_units: bool) -> Iterator[ScriptRun]:
    """Yield the runs of a text in order, without empty ones."""
    at = 0
    readable = replace_unreadable(text.text)
    for foreign, start, end in find_foreign_runs(readable, language, with_units=with_units):
        if start > at:
            yield ScriptRun(text.cut(at, start), "")
        yield ScriptRun(text.cut(start, end), foreign)
        at = end
    if at < len(text.text):
        yield ScriptRun(text.cut(at, len(text.text)), "")


def _rewrite_run(run: ScriptRun, rewrite_text: Callable[[AlignedText], AlignedText] | None) -> ScriptRun:
    if rewrite_text is None:
        return run
    return run._replace(text=rewrite_text(AlignedText(replace_unreadable(run.text.text), run.text.spans)))


# Rules are imported or compiled with the first text of their language: Mandarin's numbers alone take 0.17 s.
@cache
def _get_rewrite_rules(language: Language) -> tuple[RewriteRule, ...]:
    return build_rewrite_rules(load_locale(language))


@cache
def _get_sign_rules(language: Language) -> tuple[RewriteRule, ...]:
    return build_sign_rules(load_locale(language))


def _make_rewriter(
    get_rules: Callable[[Language], tuple[RewriteRule, ...]], language: Language
) -> Callable[[AlignedText], AlignedText]:
    return lambda text: rewrite(text, get_rules(language))


def _rewrite_japanese(text: AlignedText) -> AlignedText:
    from kokoro_server.text.normalization.japanese import expand_short_forms

    return expand_short_forms(text)


def _rewrite_mandarin(text: AlignedText) -> AlignedText:
    from kokoro_server.text.normalization.mandarin import expand_short_forms

    return expand_short_forms(text)


def _name_japanese_signs(text: AlignedText) -> AlignedText:
    from kokoro_server.text.normalization.japanese import name_all_signs

    return name_all_signs(text)


def _name_mandarin_signs(text: AlignedText) -> AlignedText:
    from kokoro_server.text.normalization.mandarin import name_all_signs

    return name_all_signs(text)


# By language, or by the name of a foreign run's language: Hindi in a Spanish text is expanded, too.
_REWRITERS: dict[str, Callable[[AlignedText], AlignedText]] = {
    **{language: _make_rewriter(_get_rewrite_rules, language) for language in LOCALE_FILES},
    Language.JAPANESE: _rewrite_japanese,
    Language.MANDARIN: _rewrite_mandarin,
}
# English has none: its phonemizer names signs.
_SIGN_NAMERS: dict[str, Callable[[AlignedText], AlignedText]] = {
    **{language: _make_rewriter(_get_sign_rules, language) for language in LOCALE_FILES},
    Language.JAPANESE: _name_japanese_signs,
    Language.MANDARIN: _name_mandarin_signs,
}
