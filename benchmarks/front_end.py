"""Measure what the text front end costs: `python -m benchmarks.front_end`.

For each language, sentences full of numbers, dates, money and abbreviations are normalized and phonemized in turns with
plain ones. Each is new, so that no word cache answers; dictionaries are loaded before.
"""

import statistics
import time

from kokoro_server.core.languages import Language
from kokoro_server.core.request import TextSpan
from kokoro_server.core.voices import find_voice
from kokoro_server.synthesis.front_end import FrontEnd
from kokoro_server.text.chunking import Utterance

ROUNDS = 20
BUSY = {
    "a": "On Mon, Mar 4, 2024, Dr. Smith of 123 N. Main St. paid $12.50 for 2 lbs of apples; by 5 p.m. he had won 6-4,"
    " 3-6, 7-5 and posted 10,000+ words on https://example.com/docs about NASA, e-mail and the 1990s, didn't he?",
    "e": "El 15/03/2024 el Sr. Pérez pagó 1.299,99 € por 5 kg de manzanas en la C/ Mayor, núm. 7, y llamó al tel. 912"
    " 345 678 para hablar con la Dra. Ruiz, que vivía en el siglo XXI como Felipe II, entre 10-15 minutos al día.",
    "f": "Le 15/03/2024, M. Dupont a payé 1 299,99 € pour 5 kg de pommes au n° 7, puis Mme Roy l'a appelé à 12h30.",
    "h": "डॉ. शर्मा ने 15/03/2024 को 7:30 बजे ₹1,250 देकर 3 किग्रा आम ख़रीदे और 10-15 मिनट तक बात की।",
    "i": "Il 15/03/2024 il Sig. Rossi ha pagato 1.299,99 € per 5 kg di mele alle 7:30; l'XI secolo, ecc.",
    "j": "2024年3月15日の12:30に、田中さんは¥1,250のりんごを3個買って、10-15分ほど歩いて駅まで行きました。",
    "p": "Em 15/03/2024 o Sr. Silva pagou R$ 1.299,99 por 5 kg de maçãs na Av. Brasil, nº 7, entre 10-15 minutos.",
    "z": "2024年3月15日12:30，王先生花了¥1,250买了3个苹果，走了10-15分钟到车站，气温-5°C。",
}
PLAIN = {
    "a": "The boat was so old that the women stood close together, holding their bundles, and did not speak at all.",
    "e": "La barca era tan vieja que las mujeres estaban de pie muy juntas y no hablaban.",
    "f": "Le bateau était si vieux que les femmes restaient debout, serrées les unes contre les autres.",
    "h": "नाव इतनी पुरानी थी कि औरतें पास पास खड़ी थीं और कुछ नहीं बोल रही थीं।",
    "i": "La barca era così vecchia che le donne stavano in piedi vicine e non parlavano.",
    "j": "船はとても古かったので、女の人たちは荷物を抱えて、ぴったりと寄り添って立っていました。",
    "p": "O barco era tão velho que as mulheres ficavam de pé, muito juntas, e não falavam.",
    "z": "船太旧了，妇女们紧紧地站在一起，抱着自己的包裹，一句话也不说。",
}


def main() -> None:
    """Print the median milliseconds of a busy and of a plain sentence, and those per 100 characters."""
    front_end = FrontEnd()
    print(f"{'':3} {'busy ms':>8} {'per 100':>8} {'plain ms':>9} {'per 100':>8}")
    for language in BUSY:
        busy, plain = (
            statistics.median(measure(front_end, texts[language], language, number) for number in range(1, ROUNDS))
            for texts in (BUSY, PLAIN)
        )
        print(
            f"{language:3} {busy:8.2f} {100 * busy / len(BUSY[language]):8.2f}"
            f" {plain:9.2f} {100 * plain / len(PLAIN[language]):8.2f}"
        )


def measure(front_end: FrontEnd, text: str, language: str, number: int) -> float:
    """Return the milliseconds of this thread for one sentence, made new by a number in front."""
    written = f"{number}. {text}"
    utterance = Utterance((TextSpan(written, 0, len(written)),), find_voice("af_heart"), Language(language))
    before = time.thread_time()
    front_end.phonemize(utterance)
    return 1000 * (time.thread_time() - before)


if __name__ == "__main__":
    main()
