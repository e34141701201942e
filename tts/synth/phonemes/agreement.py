"""Numbers that agree with the noun they count: una mesa, duas pessoas, vingt et une heures, un'ora, veintiún euros.

espeak says every number in the masculine and for itself; those whose words change before a noun are spelled here.
"""

import re
from functools import lru_cache

from num2words import num2words  # type: ignore[import-untyped]

from tts.synth.phonemes.locales import Locale

LARGEST = 999_999
"""What is counted one by one; more is counted in millions, which are nouns of their own."""
COUNTED = re.compile(
    r"(?<![\w.,/:'’-])(?P<number>\d{1,3}(?:\.\d{3})?|\d{4,6})(?=[ \u00a0\u202f](?P<noun>[^\W\d_]{2,30}))"
)
# What stands before a number that counts nothing, in any of the languages.
_NUMBERED_BEHIND = re.compile(
    r"\b(?:p[áa]gin[ae]|pages?|n[úu]mero|num[ée]ro|n[º°]|cap[íi]tul?o|capitolo|chapitre|grup+o|groupe|canale?|l[íi]nea"
    r"|ligne|linha|fase|phase|tipo|type|n[íi]vel|nivel|livello|niveau|art[íi]c?[uo]lo|article|artigo|sala|salle|room"
    r"|habitación|camera|chambre|quarto|planta|piso|piano|étage|puerta|porta|porte|vuelo|volo|voo|vol|ruta|bus|autobús"
    r"|tomo|tome|volum[ei]n?|versi[óo]n[ei]?|version|versão|part[ei]|opci[óo]n|option|opzione|opção|paso|passo|étape"
    r"|lecci[óo]n|leçon|lezione|lição|ejercicio|exercice|esercizio|exercício|figura|figure|tabla|tableau|tabella|tabela"
    r"|anexo|annexe|temporada|stagione|saison|episodio|épisode|episódio|jornada|giornata|journée|rodada|windows|f[óo]rmula"
    r"|formule|s[ée]rie|liga|lega|ligue|clase|classe|categor[íi]a|catégorie|[áa]rea|zona|zone|sector|punto|point|ponto"
    r"|regla|regola|règle|regra|equipo|squadra|équipe|time|eje|asse|axe|g[-‑])\s$",
    re.IGNORECASE,
)


def is_feminine(locale: Locale, noun: str) -> bool | None:
    """Whether a noun is feminine, by the locale's lists of words and endings; None where they do not tell."""
    noun = noun.lower()
    for listed, feminine in ((locale.masculines, False), (locale.feminines, True)):
        if noun in listed.split():
            return feminine
    if noun in locale.no_nouns.split():
        return None
    for listed, feminine in ((locale.feminines, True), (locale.masculines, False)):
        if noun.endswith(tuple(ending[1:] for ending in listed.split() if ending[0] == "-")):
            return feminine
    return None


def counted(locale: Locale, number: int, feminine: bool) -> str:
    """The number as it stands before a noun of that gender; its digits where espeak says the same."""
    return _words(locale.numbers, number, locale.feminine_numbers if feminine else locale.masculine_numbers)


@lru_cache(maxsize=4096)
def _words(language: str, number: int, changes: tuple[tuple[str, str], ...]) -> str:
    if not changes or not 0 < number <= LARGEST:
        return str(number)
    words = said = str(num2words(number, lang=language))
    for pattern, spelled in changes:
        said = re.sub(pattern, spelled, said)
    return str(number) if said == words else said


def agreeing(locale: Locale, found: re.Match[str]) -> str:
    """What is said for the number of a match of `COUNTED`."""
    written, noun = found["number"], found["noun"]
    number = int(written.replace(".", ""))
    feminine = is_feminine(locale, noun)
    is_year = len(written) == 4 and 1900 <= number < 2100
    many = number == 1 or noun.lower().endswith(locale.plural_ends)
    if feminine is None or is_year or not many:
        return written
    if _NUMBERED_BEHIND.search(found.string, max(0, found.start() - 20), found.start()):
        return written
    said = counted(locale, number, feminine)
    if said == "una" and noun[0].lower() in "aeiouàèéìòù" and locale.voice == "it":
        return "un'"
    return written if said.isdecimal() else said


def singular(locale: Locale, words: str) -> str:
    """A unit's name for one of it."""
    for pattern, spelled in locale.singular:
        words = re.sub(pattern, spelled, words)
    return words
