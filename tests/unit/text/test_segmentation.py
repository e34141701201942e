"""Places to cut a text at."""

import time

import pytest

from kokoro_server.text.segmentation import Strength, find_boundaries


def cut(text: str, strength: Strength) -> list[str]:
    pieces, start = [], 0
    for boundary in find_boundaries(text):
        if boundary.strength >= strength:
            pieces.append(text[start : boundary.end].strip())
            start = boundary.end
    return pieces


SENTENCES = [
    # A bar marks each sentence end.
    "Hello there.|How are you?|Fine!",
    "Dr. Smith met Mr. and Mrs. Jones at St. Paul's.|They left.",
    "Use a tool, e.g. a hammer, i.e. something heavy.|Done.",
    "He lives in the U.S. and likes it.|I do too.",
    "He lives in the U.S.|The rest live in the U.K. and France.",
    "J. R. R. Tolkien wrote it.|George W. Bush read it.",
    "Pi is 3.14 or so.|Version 2.0.1 is out.",
    "Look at https://example.com/a.b?c=d for more.|Then rest.",
    "Open report.pdf and main.py.|Save.",
    "Well... I think so.|Really…|Yes.",
    "He waited... and waited.",
    "Come at 9 a.m. tomorrow.|Leave at 5 p.m. Monday.",
    "It starts at 9 a.m.|Bring a pen.",
    "He likes apples, pears, etc. and more.|She does not.",
    "He likes apples, pears, etc.|She does not.",
    '"Stop!" he said.|"Why?" she asked.',
    "He said “No.”|She left.",
    "(He left.)|She stayed.",
    "No.|I said no.|See No. 5 and fig. 3.",
    "Apple Inc. and Google Corp. are big.|Acme Ltd.|The rest is small.",
    "Born Jan. 5 in Mt. Vernon vs. elsewhere.|OK.",
    "The cat sat.|He saw the sun.|It rose.",
    "What?!|No way!!!|OK.",
    "hello there.|how are you",
    "He took plan B.|Then he left.",
    "It was me, not I.|Then we ate.",
    "Yahoo! is old.|Go.",
    "Try one more rep.|Then rest.|It is 5 mm.|Good.",
    "It is 12 in. long and weighs 5 lbs. or so.|He is 6 ft.|She is not.|Go in.|then out.",
    "Turn it on.|Rep. Ocasio and Mt. Everest.|On Main St.|He walked.",
    "Smith et al. found it.|Good.",
    "She has a Ph.D. in physics.|He has none.",
    "He met Sen. Warren, Gen. Lee and Prof. Jan Kowalski.|Good.",
    "Martin Luther King Jr. was here.|We met.",
    "**Bold.**|Next one.|_Done._|End.",
    "It ends here.[1]|Next.",
    # es
    "¿Cómo está?|¡Muy bien!|El Sr. López y la Sra. Ruiz viven en EE. UU. desde 1990.|Fin.",
    "—¡Hola! —dijo él.|—Adiós.",
    "Vea la pág. 5 y el núm. 3.|Fin.|Cerca del mar.|El sol.",
    # fr
    "« Bonjour ! » dit-il.|« Ça va ? »|Oui.",
    "M. Dupont et Mme Durand sont là.|Quoi ?|Rien !",
    "Il est né en 100 av. J.-C. à Rome.|C'est tout.",
    # it, pt
    "Il sig. Rossi e il dott. Bianchi, ecc. sono qui.|Bene.",
    "O Sr. Silva mora na Av. Paulista.|Ele é alto.|É isso.",
    # hi
    "यह मेरा घर है।|डॉ. शर्मा आए।|क्या आप ठीक हैं?|हाँ।",
    "यह घर है।|वह दुकान है।",
    # ja, zh
    "こんにちは。|お元気ですか？|はい！",
    "「行く。」と言った。|終わり。",
    "「行くよ。」|彼は出た。",
    "你好。|你好吗？|我很好！",
    "他说：“走吧。”|然后走了。",
    "価格は3.14ドルです。|次。",
    "我想……也许吧。|好。",
    "価格.comで買った。|安い。",
    # ar marks
    "كيف حالك؟|بخير.",
]


PHRASES = [
    # A bar marks each place that a clause may break at.
    "The old gardener carried the heavy basket| behind the stone church.",
    "She smiled| and left| before the rain| with the last bus.",
    "He turned on the light.",
    "El perro duerme| porque hace calor| hasta la noche.",
    "Il chat dort| sous la table| pendant la journée.",
    "Withal undertook andante.",
]


@pytest.mark.parametrize("text", PHRASES)
def test_clauses_break_before_what_opens_a_phrase(text: str) -> None:
    assert cut(text.replace("|", ""), Strength.PHRASE) == [piece.strip() for piece in text.split("|")]


@pytest.mark.parametrize("marked", SENTENCES)
def test_sentences(marked: str) -> None:
    unspaced = any(letter > "\u2fff" for letter in marked) or "।वह" in marked.replace("|", "")
    text = marked.replace("|", "" if unspaced else " ")
    assert cut(text, Strength.SENTENCE) == marked.split("|")


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("Well, yes; no: maybe.", ["Well,", "yes;", "no:", "maybe."]),
        ("One — two—three -- four - five.", ["One —", "two—", "three --", "four -", "five."]),
        ("On March 3, 2024, he left.", ["On March 3, 2024,", "he left."]),
        ("1,000 or 12:30 or 3.5.", ["1,000 or 12:30 or 3.5."]),
        ("One (two) three.", ["One", "(two)", "three."]),
        ("そう、です。まあ、ね。", ["そう、", "です。", "まあ、", "ね。"]),
        ("« Oui », dit-il.", ["« Oui »,", "dit-il."]),
        ("A well-known man.", ["A well-known man."]),
        ("Roses are red\nViolets are blue", ["Roses are red", "Violets are blue"]),
        ("a line that was\nwrapped here", ["a line that was\nwrapped here"]),
    ],
)
def test_clauses(text: str, clauses: list[str]) -> None:
    assert cut(text, Strength.CLAUSE) == clauses


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("# Title\nSome text.\n- one item\n- two items\n1. Eggs\n2. Milk", 6),
        ("One line.\n\nAnother.\r\n\r\nThird.", 3),
        ("Dr.", 1),
        ("...", 1),
        (".", 1),
        ("Hi", 1),
    ],
)
def test_pieces_of_lines(text: str, pieces: int) -> None:
    assert len(cut(text, Strength.SENTENCE)) == pieces


def test_paragraphs_outrank_sentences() -> None:
    assert cut("One. Two.\n\nThree. Four.", Strength.PARAGRAPH) == ["One. Two.", "Three. Four."]


def test_a_text_without_spaces_can_be_cut() -> None:
    ends = [boundary.end for boundary in find_boundaries("a" * 300)]
    assert ends == [80, 160, 240, 300]
    assert len(find_boundaries("これは長い文章です")) > 4


def test_a_combining_mark_stays_with_its_letter() -> None:
    text = "a" * 79 + "e\u0301" * 10
    assert [boundary.end for boundary in find_boundaries(text)] == [81, 99]


def test_a_text_of_nothing_has_no_boundary() -> None:
    assert find_boundaries("") == []
    assert [boundary.end for boundary in find_boundaries("  \n ")] == [4]


@pytest.mark.parametrize(
    "unit", ["a", " ", ".", "a. ", "Dr. ", "\n", "。", "あ", "(", '"', "?! ", "- ", "—", "1,", "e\u0301"]
)
def test_ends_ascend_to_the_end_in_linear_time(unit: str) -> None:
    text = unit * (10_000 // len(unit))
    before = time.thread_time()
    ends = [boundary.end for boundary in find_boundaries(text)]
    assert time.thread_time() - before < 0.5
    assert ends == sorted(set(ends))
    assert ends[-1] == len(text)
