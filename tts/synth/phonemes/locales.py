"""How dates, money, units and abbreviations are said in the languages that espeak reads: words only, no code.

Digits stay digits: espeak says them. A currency is (singular with its article, plural, hundredths).
"""

from dataclasses import dataclass, field

Currency = tuple[str, str, str]


@dataclass(frozen=True)
class Locale:
    """One language: espeak's name for its voice, and the words for what is written short."""

    voice: str
    months: str
    date: str
    first: str
    time: str
    hour: str
    percent: str
    money: str
    currencies: dict[str, Currency]
    units: dict[str, str]
    abbreviations: dict[str, str]
    english_numbers: bool = False
    symbols: dict[str, str] = field(default_factory=dict)


SPANISH = Locale(
    voice="es",
    months="enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    date="{day} de {month} de {year}",
    first="uno",
    time="{hour} y {minute}",
    hour="{hour} en punto",
    percent="por ciento",
    money="{whole} con {cents}",
    currencies={
        "€": ("un euro", "euros", "céntimos"),
        "$": ("un dólar", "dólares", "centavos"),
        "£": ("una libra", "libras", "peniques"),
        "R$": ("un real", "reales", "centavos"),
        "¥": ("un yen", "yenes", ""),
    },
    units={
        "km/h": "kilómetros por hora",
        "km": "kilómetros",
        "kg": "kilogramos",
        "cm": "centímetros",
        "mm": "milímetros",
        "m²": "metros cuadrados",
        "m": "metros",
        "g": "gramos",
        "l": "litros",
        "°C": "grados centígrados",
        "GB": "gigabytes",
        "MB": "megabytes",
    },  # fmt: skip
    abbreviations={
        "Sr.": "señor",
        "Sra.": "señora",
        "Srta.": "señorita",
        "Dr.": "doctor",
        "Dra.": "doctora",
        "Prof.": "profesor",
        "Ud.": "usted",
        "Uds.": "ustedes",
        "etc.": "etcétera",
        "p. ej.": "por ejemplo",
        "pág.": "página",
        "núm.": "número",
        "n.º": "número",
        "nº": "número",
        "EE. UU.": "Estados Unidos",
        "EE.UU.": "Estados Unidos",
        "Avda.": "avenida",
        "a. C.": "antes de Cristo",
        "d. C.": "después de Cristo",
    },  # fmt: skip
    symbols={"&": "y", "+": "más", "=": "igual a", "@": "arroba", "°": "grados"},
)

FRENCH = Locale(
    voice="fr",
    months="janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    date="{day} {month} {year}",
    first="premier",
    time="{hour} heures {minute}",
    hour="{hour} heures",
    percent="pour cent",
    money="{whole} {cents}",
    currencies={
        "€": ("un euro", "euros", "centimes"),
        "$": ("un dollar", "dollars", "cents"),
        "£": ("une livre", "livres", "pence"),
        "R$": ("un réal", "réaux", "centavos"),
        "¥": ("un yen", "yens", ""),
    },
    units={
        "km/h": "kilomètres heure",
        "km": "kilomètres",
        "kg": "kilogrammes",
        "cm": "centimètres",
        "mm": "millimètres",
        "m²": "mètres carrés",
        "m": "mètres",
        "g": "grammes",
        "l": "litres",
        "°C": "degrés",
        "Go": "gigaoctets",
        "Mo": "mégaoctets",
        "min": "minutes",
    },  # fmt: skip
    abbreviations={
        "MM.": "messieurs",
        "M.": "monsieur",
        "Mmes": "mesdames",
        "Mme": "madame",
        "Mlle": "mademoiselle",
        "Dr.": "docteur",
        "Dr": "docteur",
        "Pr": "professeur",
        "etc.": "et cétéra",
        "p. ex.": "par exemple",
        "n°": "numéro",
        "N°": "numéro",
        "cf.": "voir",
        "av.": "avenue",
        "bd.": "boulevard",
        "1er": "premier",
        "1ère": "première",
        "1re": "première",
        "2e": "deuxième",
        "3e": "troisième",
        "c.-à-d.": "c'est-à-dire",
    },  # fmt: skip
    symbols={"&": "et", "+": "plus", "=": "égale", "@": "arobase", "°": "degrés"},
)

ITALIAN = Locale(
    voice="it",
    months="gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    date="{day} {month} {year}",
    first="primo",
    time="{hour} e {minute}",
    hour="{hour} in punto",
    percent="per cento",
    money="{whole} e {cents}",
    currencies={
        "€": ("un euro", "euro", "centesimi"),
        "$": ("un dollaro", "dollari", "centesimi"),
        "£": ("una sterlina", "sterline", "penny"),
        "R$": ("un real", "real", "centesimi"),
        "¥": ("uno yen", "yen", ""),
    },
    units={
        "km/h": "chilometri orari",
        "km": "chilometri",
        "kg": "chilogrammi",
        "cm": "centimetri",
        "mm": "millimetri",
        "m²": "metri quadrati",
        "m": "metri",
        "g": "grammi",
        "l": "litri",
        "°C": "gradi",
        "GB": "gigabyte",
        "MB": "megabyte",
    },  # fmt: skip
    abbreviations={
        "Sig.ra": "signora",
        "Sig.na": "signorina",
        "Sig.": "signor",
        "Dott.ssa": "dottoressa",
        "Dott.": "dottor",
        "Dr.": "dottor",
        "Prof.ssa": "professoressa",
        "Prof.": "professor",
        "Ing.": "ingegner",
        "Avv.": "avvocato",
        "ecc.": "eccetera",
        "etc.": "eccetera",
        "p. es.": "per esempio",
        "pag.": "pagina",
        "n°": "numero",
        "a.C.": "avanti Cristo",
        "d.C.": "dopo Cristo",
    },  # fmt: skip
    symbols={"&": "e", "+": "più", "=": "uguale", "@": "chiocciola", "°": "gradi"},
)

PORTUGUESE = Locale(
    voice="pt-br",
    months="janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    date="{day} de {month} de {year}",
    first="primeiro",
    time="{hour} e {minute}",
    hour="{hour} horas",
    percent="por cento",
    money="{whole} e {cents}",
    currencies={
        "€": ("um euro", "euros", "centavos"),
        "R$": ("um real", "reais", "centavos"),
        "US$": ("um dólar", "dólares", "centavos"),
        "$": ("um dólar", "dólares", "centavos"),
        "£": ("uma libra", "libras", "centavos"),
        "¥": ("um iene", "ienes", ""),
    },
    units={
        "km/h": "quilômetros por hora",
        "km": "quilômetros",
        "kg": "quilos",
        "cm": "centímetros",
        "mm": "milímetros",
        "m²": "metros quadrados",
        "m": "metros",
        "g": "gramas",
        "l": "litros",
        "°C": "graus",
        "GB": "gigabytes",
        "MB": "megabytes",
    },  # fmt: skip
    abbreviations={
        "Sr.": "senhor",
        "Sra.": "senhora",
        "Srta.": "senhorita",
        "Dr.": "doutor",
        "Dra.": "doutora",
        "Prof.": "professor",
        "Profa.": "professora",
        "etc.": "etcétera",
        "pág.": "página",
        "p. ex.": "por exemplo",
        "nº": "número",
        "n.º": "número",
        "Av.": "avenida",
        "R.": "rua",
        "a.C.": "antes de Cristo",
        "d.C.": "depois de Cristo",
    },  # fmt: skip
    symbols={"&": "e", "+": "mais", "=": "igual a", "@": "arroba", "°": "graus"},
)

HINDI = Locale(
    voice="hi",
    months="जनवरी फ़रवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर",
    date="{day} {month} {year}",
    first="1",
    time="{hour} बजकर {minute} मिनट",
    hour="{hour} बजे",
    percent="प्रतिशत",
    money="{whole} {cents}",
    currencies={
        "₹": ("एक रुपया", "रुपये", "पैसे"),
        "रु.": ("एक रुपया", "रुपये", "पैसे"),
        "€": ("एक यूरो", "यूरो", "सेंट"),
        "$": ("एक डॉलर", "डॉलर", "सेंट"),
        "£": ("एक पाउंड", "पाउंड", "पेंस"),
        "¥": ("एक येन", "येन", ""),
    },
    units={
        "km/h": "किलोमीटर प्रति घंटा",
        "km": "किलोमीटर",
        "kg": "किलोग्राम",
        "cm": "सेंटीमीटर",
        "m": "मीटर",
        "g": "ग्राम",
        "l": "लीटर",
        "°C": "डिग्री सेल्सियस",
        "किमी": "किलोमीटर",
        "किग्रा": "किलोग्राम",
    },  # fmt: skip
    abbreviations={"डॉ.": "डॉक्टर", "श्री.": "श्री", "प्रो.": "प्रोफ़ेसर"},
    english_numbers=True,
    symbols={"&": "और", "+": "जमा", "=": "बराबर", "@": "एट", "°": "डिग्री"},
)
