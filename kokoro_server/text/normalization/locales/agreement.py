"""Inflect numbers by the noun they count: una mesa, duas pessoas, vingt et une heures, un'ora, veintiún euros.

espeak reads every number in its masculine citation form. Numbers whose words change before a noun are spelled here:
num2words spells the number and the locale's patterns for the noun's gender change it; if they change nothing, the
digits are kept. The gender comes from the locale's word lists and endings (`is_feminine`). Numbers that count nothing
(page 1, the year 2021, the 1st of a month) are left alone.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from num2words import num2words

from kokoro_server.text.normalization.locales.locale import Locale

LARGEST_COUNTED = 999_999
"""Largest number that is inflected; from a million on, the word for million is the noun."""
COUNTED_NOUN = re.compile(
    r"(?<![\w.,/:'’-])(?P<number>\d{1,3}(?:\.\d{3})?|\d{4,6})(?=[ \u00a0\u202f](?P<noun>[^\W\d_]{2,30}))"
)
# Words of all the languages before a number that is a label and counts nothing: página 1, canal 1.
_BEFORE_LABEL = re.compile(
    r"\b(?:p[áa]gin[ae]|pages?|n[úu]mero|num[ée]ro|n[º°]|cap[íi]tul?o|capitolo|chapitre|grup+o|groupe|canale?|l[íi]nea"
    r"|ligne|linha|fase|phase|tipo|type|n[íi]vel|nivel|livello|niveau|art[íi]c?[uo]lo|article|artigo|sala|salle|room"
    r"|habitación|camera|chambre|quarto|planta|piso|piano|étage|puerta|porta|porte|vuelo|volo|voo|vol|ruta|bus|autobús"
    r"|tomo|tome|volum[ei]n?|versi[óo]n[ei]?|version|versão|part[ei]|opci[óo]n|option|opzione|opção|paso|passo|étape"
    r"|lecci[óo]n|leçon|lezione|lição|ejercicio|exercice|esercizio|exercício|figura|figure|tabla|tableau|tabella|tabela"
    r"|anexo|annexe|temporada|stagione|saison|episodio|épisode|episódio|jornada|giornata|journée|rodada|windows|f[óo]rmula"
    r"|formule|s[ée]rie|liga|lega|ligue|clase|classe|categor[íi]a|catégorie|[áa]rea|zona|zone|sector|punto|point|ponto"
    r"|regla|regola|règle|regra|equipo|squadra|équipe|time|eje|asse|axe|gr[áa]fico|cuadro|quadro|unidade?|terminal|secci[óo]n|seção|apartado|portal|bloque|escalera|mesa|minuto"
    r"|kil[óo]metro|m[óo]dulo|ejemplo|pregunta|domanda|etapa|turma|lote|d[íi]a|jugador|giocatore|rai|italia|binario|gate"
    r"|métro|unit[àa])\s$",
    re.IGNORECASE,
)
_BEFORE_DAY = re.compile(r"\b(?:el|al|del|día|o|ao|no|do|dia|il|dal|giorno|le|du|au)\s$", re.IGNORECASE)
_BEFORE_YEAR = re.compile(r"\b(?:en|em|desde|hacia|año|ano|in|nel|dal)\s$", re.IGNORECASE)
_WORD_BEFORE = re.compile(r"([^\W\d_]+)\s$")
_BEFORE_ONE_LIST = """
    de con en por hay tengo tiene tienes tenemos tienen y o a para solo sólo solamente cada menos casi hasta desde
    más queda falta faltan necesito quiero dame son es era dura durante sobre entre hace dentro como mínimo
    incluye e u añade añadir agrega compra compré di del com em há tenho tem temos têm ou só apenas quase até mais
    quero preciso são é faz fica resta adicione con in per ho ha hai abbiamo hanno ogni almeno quasi fino da più
    aggiungi voglio serve circa tra fra manca resta avec pour ai as avons ont et seulement chaque moins presque
    depuis plus ajoutez veux faut dure pendant environ est reste ci à il-y contre
"""
_BEFORE_ONE = frozenset(_BEFORE_ONE_LIST.split())
"""Words that may precede 1 and a noun that it counts; after other words 1 is part of a name: Canal 1 noche."""


def is_feminine(locale: Locale, noun: str) -> bool | None:
    """Return whether a noun is feminine, by the locale's lists of words and endings; None if they do not decide.

    Words take precedence over endings, and longer endings over shorter ones.
    """
    noun = noun.lower()
    masculine, feminine = _parse_word_list(locale.masculine_nouns), _parse_word_list(locale.feminine_nouns)
    if noun in masculine.words:
        return False
    if noun in feminine.words:
        return True
    if noun in locale.non_nouns.split():
        return None
    ends = [
        (len(end), is_one) for kind, is_one in ((masculine, False), (feminine, True)) for end in kind.find_endings(noun)
    ]
    return max(ends)[1] if ends else None  # the longer ending decides: -a, but -ista


class _WordList(NamedTuple):
    """Hold the words and the endings of one gender."""

    words: frozenset[str]
    endings: tuple[str, ...]

    def find_endings(self, noun: str) -> Iterator[str]:
        """Return the listed endings that `noun` has."""
        return (ending for ending in self.endings if noun.endswith(ending))


@lru_cache
def _parse_word_list(listed: str) -> _WordList:
    """Parse a list of words, in which an ending starts with a hyphen: "mano -ción"."""
    words = listed.split()
    return _WordList(frozenset(words), tuple(word[1:] for word in words if word[0] == "-"))


def inflect_cardinal(locale: Locale, number: int, feminine: bool) -> str:
    """Return the number as it is spelled before a noun of that gender; its digits if espeak reads the same."""
    return spell_inflected(
        locale.num2words_language,
        number,
        locale.feminine_number_changes if feminine else locale.masculine_number_changes,
    )


@lru_cache(maxsize=4096)
def spell_inflected(language: str, number: int, changes: tuple[tuple[str, str], ...]) -> str:
    """Return the number in words with `changes` (pattern, replacement) applied; its digits if they change nothing."""
    if not changes or not 0 < number <= LARGEST_COUNTED:
        return str(number)
    words = said = str(num2words(number, lang=language))
    for pattern, change in changes:
        said = re.sub(pattern, change, said)
    return str(number) if said == words else said


def inflect_match(locale: Locale, found: re.Match[str]) -> str:
    """Return the replacement of the number in a match of `COUNTED_NOUN`; the number as written if nothing changes.

    The number stays as it is for an unknown gender, a year, a noun in the singular, or a verb in -mos, and after a word
    that makes it a label or a day.
    """
    written, noun = found["number"], found["noun"]
    number = int(written.replace(".", ""))
    feminine = is_feminine(locale, noun) if noun[0].islower() else None  # Roma 1 Juventus 0
    preceding = found.string[max(0, found.start() - 24) : found.start()]
    first = 1400 if _BEFORE_YEAR.search(preceding) else 1900  # "en 1492" is a year, "1492 mesas" is not
    is_year = len(written) == 4 and first <= number < 2100
    many = number == 1 or noun.lower().endswith(locale.plural_endings)
    if feminine is None or is_year or not many or noun.endswith("mos"):
        return written
    if _BEFORE_LABEL.search(preceding) or _BEFORE_DAY.search(preceding):
        return written
    if number == 1 and (word := _WORD_BEFORE.search(preceding)) and word[1].lower() not in _BEFORE_ONE:
        return written
    said = inflect_cardinal(locale, number, feminine)
    # un'ora: Italian elides una before a vowel
    if locale.one_before_vowel and said == locale.one[1] and noun[0].lower() in "aeiouàèéìòù":
        return locale.one_before_vowel
    return written if said.isdecimal() else said


def to_singular(locale: Locale, words: str) -> str:
    """Return the singular of a unit's name by the locale's patterns: kilómetros cuadrados -> kilómetro cuadrado."""
    for pattern, spelled in locale.singular_changes:
        words = re.sub(pattern, spelled, words)
    return words
