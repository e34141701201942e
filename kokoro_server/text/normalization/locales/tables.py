"""Define the words for dates, money, units and abbreviations in the languages that espeak reads: tables only, no code.

Digits stay digits: espeak reads them. A currency is (singular with its article, plural, hundredths), a pair of words is
the masculine and the feminine one. Forms such as `date_form` are filled by `str.format`.
"""

from dataclasses import dataclass, field

Currency = tuple[str, str, str]
Pair = tuple[str, str]


@dataclass(frozen=True)
class Locale:
    """Hold the words and patterns of one language; `espeak_voice` is espeak's name for it.

    Lists of words are separated by spaces; patterns are regular expressions, of which `(?!)` never matches.
    """

    espeak_voice: str
    months: str
    date_form: str
    first_of_month: str
    time_form: str
    full_hour_form: str
    percent: str
    money_form: str
    currencies: dict[str, Currency]
    units: dict[str, str]
    abbreviations: dict[str, str]
    num2words_language: str = ""
    """num2words' name of the language; empty if it lacks the language's ordinals (Hindi)."""
    month_patterns: str = ""
    first_ordinal_feminine: str = ""
    """Feminine of the first ordinal, if it is irregular (not -a for -o)."""
    ordinal_suffix_pattern: str = ""
    """Pattern of the suffix that makes a number an ordinal; its group `feminine` matches in the feminine."""
    listed_ordinals: dict[str, str] = field(default_factory=dict)
    """Ordinals that num2words lacks or spells differently, by written form or by digits."""
    century_word: str = ""
    """Word for century beside a Roman numeral."""
    numbered_words: str = ""
    """Words before a Roman numeral that numbers parts: chapter, act."""
    ruler_numbers: str = "mixed"
    """Numbers of rulers: "ordinal", "cardinal" (from the second on) or "mixed" (ordinals up to ten)."""
    articles: Pair = ("", "")
    """Masculine and feminine articles before a Roman numeral and its noun: la II Guerra."""
    range_word: str = ""
    minus_word: str = ""
    about_word: str = ""
    by_word: str = ""
    hours_form: str = ""
    time_suffix_pattern: str = ""
    """Pattern of a suffix of a time of day that is dropped, since the time's form already says it."""
    half: Pair = ("", "")
    one: Pair = ("", "")
    and_half_form: str = ""
    fraction_conjunction: str = ""
    """Conjunction between a whole number and a fraction."""
    fractions: dict[str, str] = field(default_factory=dict)
    magnitudes: dict[str, Pair] = field(default_factory=dict)
    """Magnitudes after a sum, abbreviated or in full, with their singular and plural."""
    magnitude_prepositions: Pair = ("", "")
    """Preposition between a magnitude and a currency, before a consonant and before a vowel."""
    abbreviations_before_number: dict[str, str] = field(default_factory=dict)
    """Abbreviations, in lower case, that are one only before a number."""
    telephone_words: str = ""
    """Words before a telephone number."""
    telephone_pattern: str = "(?!)"
    """Pattern of a telephone number in groups that needs no word before it."""
    telephone_in_pairs: bool = False
    """True if telephone numbers are read in pairs of digits (French)."""
    address_words: dict[str, str] = field(default_factory=dict)
    """Words for the marks of links, mail addresses and telephone numbers, and for www."""
    has_thousands_commas: bool = False
    """True if commas separate thousands (Hindi)."""
    symbols: dict[str, str] = field(default_factory=dict)
    feminine_nouns: str = ""
    """Feminine nouns in lower case that are often counted, and, after a hyphen, endings of feminine nouns."""
    masculine_nouns: str = ""
    """Masculine nouns and endings likewise; a word takes precedence over an ending."""
    non_nouns: str = ""
    """Words with such an ending that are not nouns."""
    plural_endings: tuple[str, ...] = ("s",)
    feminine_number_changes: tuple[Pair, ...] = ()
    """Changes of a number's words before a feminine noun: pattern and replacement."""
    masculine_number_changes: tuple[Pair, ...] = ()
    singular_changes: tuple[Pair, ...] = ((r"s\b", ""),)
    """Changes that turn a unit's plural into its singular: pattern and replacement."""
    before_time_pattern: str = "(?!)"
    """Pattern of the words before a time of day that is written with a full stop (a las 9.30)."""
    before_date_pattern: str = "(?!)"
    """Pattern of the words before a day and month that could be a fraction (el 3/9)."""
    multiplier_word: str = ""
    """Word for the x of a multiplier: 12x."""
    once_words: str = ""
    """Words for 1x."""
    rate_words: dict[str, str] = field(default_factory=dict)
    """Words for a slash and the unit after it: /mes -> al mes."""
    spelled_acronyms: str = ""
    """Acronyms that are spelled, though they look like words."""
    century_sign_pattern: str = "(?!)"
    """Pattern of an abbreviation for century before a Roman numeral: s. XXI."""
    one_oclock_pattern: str = "(?!)"
    """Pattern whose group `hour` is a 1 that is a feminine hour: a la 1."""
    acronym_pattern: str = "(?!)"
    """Pattern of acronyms that are spelled, beside those listed."""
    acronym_letters: dict[str, str] = field(default_factory=dict)
    """Letters of acronyms that espeak reads as letters in another form only."""
    roman_suffixes: Pair = ("(?!)", "(?!)")
    """Patterns of the masculine and the feminine suffix that makes an ordinal of a Roman numeral: XXIe."""
    before_spelled_pattern: str = "(?!)"
    """Pattern of what espeak reads right only before a number in words: l'8 -> l'otto."""
    one_before_vowel: str = ""
    """The feminine one before a vowel, if it differs, without a space after it: un'ora."""
    form_changes: tuple[Pair, ...] = ()
    """Changes of words before others: pattern and replacement."""
    thousands_changes: tuple[Pair, ...] = ()
    """Changes of the words of a number of thousands: pattern and replacement."""
    solid_telephone_pattern: str = "(?!)"
    """Pattern of a telephone number without spaces or hyphens."""


SPANISH = Locale(
    century_sign_pattern=r"(?<!\d )(?<![\w.])[sS]\. ?(?=[IVX]{1,6}\b)",
    one_oclock_pattern=r"\b(?:[Aa]|[Dd]esde|[Hh]asta|[Ee]s|[Ss]obre) la (?P<hour>1)(?![\w/:]|[.,-]\d| de TVE| del | de España| a la)",
    thousands_changes=(("veintiuno(?= mil)", "veintiún"), ("uno(?= mil)", "un")),
    espeak_voice="es",
    months="enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    date_form="{day} de {month} de {year}",
    first_of_month="uno",
    time_form="{hour} y {minute}",
    full_hour_form="{hour} en punto",
    percent="por ciento",
    money_form="{whole} con {cents}",
    currencies={
        "US$": ("un dólar", "dólares", "centavos"),
        "EUR": ("un euro", "euros", "céntimos"),
        "USD": ("un dólar", "dólares", "centavos"),
        "GBP": ("una libra", "libras", "peniques"),
        "MXN": ("un peso mexicano", "pesos mexicanos", "centavos"),
        "CHF": ("un franco suizo", "francos suizos", "céntimos"),
        "€": ("un euro", "euros", "céntimos"),
        "$": ("un dólar", "dólares", "centavos"),
        "£": ("una libra", "libras", "peniques"),
        "R$": ("un real", "reales", "centavos"),
        "¥": ("un yen", "yenes", ""),
    },
    units={
        "s": "segundos",
        "km²": "kilómetros cuadrados",
        "m³": "metros cúbicos",
        "ml": "mililitros",
        "mL": "mililitros",
        "L": "litros",
        "ºC": "grados centígrados",
        "h": "horas",
        "mg": "miligramos",
        "min": "minutos",
        "kW": "kilovatios",
        "kWh": "kilovatios hora",
        "W": "vatios",
        "V": "voltios",
        "Hz": "hercios",
        "TB": "terabytes",
        "t": "toneladas",
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
        "ss.": "siguientes",
        "a. m.": "a eme",
        "p. m.": "pe eme",
        "a.m.": "a eme",
        "p.m.": "pe eme",
        "Nº": "número",
        "N.º": "número",
        "Sres.": "señores",
        "Ctra.": "carretera",
        "cdas.": "cucharadas",
        "cda.": "cucharada",
        "D.": "don",
        "Dña.": "doña",
        "págs.": "páginas",
        "Gral.": "general",
        "Lic.": "licenciado",
        "Ing.": "ingeniero",
        "Sto.": "santo",
        "Sta.": "santa",
        "Cía.": "compañía",
        "tel.": "teléfono",
        "Tel.": "teléfono",
        "C/": "calle ",
        "Av.": "avenida",
        "aprox.": "aproximadamente",
        "máx.": "máximo",
        "mín.": "mínimo",
        "vs.": "contra",
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
    symbols={
        "×": "por",
        "÷": "entre",
        "<": "menor que",
        ">": "mayor que",
        "≈": "aproximadamente",
        "±": "más menos",
        "*": "por",
        "&": "y",
        "+": "más",
        "=": "igual a",
        "@": "arroba",
        "°": "grados",
    },
    num2words_language="es",
    month_patterns="ene feb mar abr may jun jul ago sept? oct nov dic",
    ordinal_suffix_pattern=r"\.?\s?º(?!\s?[CF]\b)|\.°|\.?\s?(?P<feminine>ª)|(?:ro|do|to|mo|vo|no)\b|(?P<feminine2>ra|da|ta|ma|va|na)\b",
    listed_ordinals={
        "1er": "primer",
        "1.er": "primer",
        "3er": "tercer",
        "3.er": "tercer",
        "11": "undécimo",
        "12": "duodécimo",
        "13": "decimotercero",
        "14": "decimocuarto",
        "15": "decimoquinto",
        "16": "decimosexto",
        "17": "decimoséptimo",
        "18": "decimoctavo",
        "19": "decimonoveno",
    },
    century_word="siglo",
    numbered_words="siglos capítulo capitulo tomo volumen título artículo parte acto libro sección fase anexo nivel "
    "tipo",
    articles=("el al del", "la"),
    range_word="a",
    minus_word="menos",
    about_word="unos",
    by_word="por",
    hours_form="{hour} horas",
    time_suffix_pattern="h|hs|hrs",
    half=("medio", "media"),
    one=("uno", "una"),
    and_half_form="{whole} y {half}",
    fraction_conjunction="y",
    fractions={
        "1/3": "un tercio",
        "2/3": "dos tercios",
        "1/4": "un cuarto",
        "3/4": "tres cuartos",
        "1/5": "un quinto",
        "2/5": "dos quintos",
        "3/5": "tres quintos",
        "4/5": "cuatro quintos",
        "1/8": "un octavo",
        "1/10": "un décimo",
    },
    magnitudes={
        "M": ("millón", "millones"),
        "MM": ("millón", "millones"),
        "mill.": ("millón", "millones"),
        "millón": ("millón", "millones"),
        "millones": ("millón", "millones"),
        "billones": ("billón", "billones"),
        "mil": ("mil", "mil"),
    },
    magnitude_prepositions=("de", "de"),
    abbreviations_before_number={
        "p.": "página",
        "pp.": "páginas",
        "art.": "artículo",
        "cap.": "capítulo",
        "vol.": "volumen",
        "fig.": "figura",
        "km.": "kilómetro",
    },
    feminine_nouns="""
        crema cremas cama camas rama ramas llama llamas goma gomas broma bromas forma formas lista listas pista pistas
        vista vistas revista revistas conquista conquistas meta metas receta recetas tarjeta tarjetas planta plantas
        -gión -giones -zón -zones -stión -stiones cuestión razón razones ley leyes opinión opiniones región regiones
        reunión reuniones religión religiones muerte muertes orden órdenes crisis tesis dosis hipótesis sede sedes
        clave claves nave naves mente mentes -a -as -ción -ciones -sión -siones -dad -dades -tad -tades -tud -umbre
        -umbres mano manos foto fotos moto motos noche noches tarde tardes mujer mujeres vez veces clase clases parte
        partes calle calles llave llaves serie series flor flores imagen imágenes red redes voz voces luz luces cruz
        cruces pared paredes nube nubes torre torres fuente fuentes frase frases base bases fase fases señal señales
        cárcel cárceles piel pieles libras
    """,
    masculine_nouns="""
        -ista -istas -eta -etas -ema -emas -oma -omas -ama -amas pijama pijamas policía policías síntoma síntomas
        corazón corazones buzón buzones -o -os -es -ete -aje -ajes -or -ón día días mapa mapas problema problemas
        sistema sistemas programa programas tema temas idioma idiomas planeta planetas poema poemas drama dramas clima
        diagrama diagramas kilo gol café bar país artista artistas guardia futbolistas turista turistas mes año
    """,
    non_nouns="""
        por no todo todos muchos varios estos esos nosotros gracias para contra hasta ahora era otra otro gana será
        cada como cuando pero luego solo tanto mucho las los les nos más menos dos tres seis pues sus mis tus antes
        después entonces martes miércoles jueves viernes lunes es has vas la lo una uno ya a tras desde entre sobre y
    """,
    feminine_number_changes=((r"uno$|uno(?= mil)", "una"), (r"cientos\b", "cientas"), ("quinientos", "quinientas")),
    masculine_number_changes=((r"veintiuno", "veintiún"), (r"uno$|uno(?= mil)", "un")),
    before_time_pattern=r"(?:a|desde|hasta|de|sobre)\slas?",
    before_date_pattern=r"(?:el|al|del|día)",
    multiplier_word="veces",
    once_words="una vez",
    rate_words={
        "mes": "al mes",
        "año": "al año",
        "día": "al día",
        "semana": "a la semana",
        "hora": "por hora",
        "h": "por hora",
        "kg": "por kilo",
        "kilo": "por kilo",
        "litro": "por litro",
        "l": "por litro",
        "persona": "por persona",
        "noche": "por noche",
        "m²": "por metro cuadrado",
        "s": "por segundo",
        "min": "por minuto",
        "km": "por kilómetro",
        "100 km": "a los cien kilómetros",
    },  # fmt: skip
    spelled_acronyms="ADN ARN USB VIH ONG OMS URL UGT IRPF IA PDF HTTP BBVA RTVE TVE FMI BCE UE CDMX",
    solid_telephone_pattern=r"(?:\+?34)?[67]\d{8}",
    telephone_words="tel teléfono telefono tfno móvil movil llame llámame whatsapp fax",
    telephone_pattern=r"[6-9]\d\d (?:\d{3} \d{3}|\d\d \d\d \d\d)",
    address_words={
        "@": "arroba",
        ".": "punto",
        "/": "barra",
        "-": "guion",
        "_": "guion bajo",
        "www": "uve doble uve doble uve doble",
    },
)

FRENCH = Locale(
    roman_suffixes=("er|e|ème|eme|è", "ère|re"),
    espeak_voice="fr",
    months="janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    date_form="{day} {month} {year}",
    first_of_month="premier",
    time_form="{hour} heures {minute}",
    full_hour_form="{hour} heures",
    percent="pour cent",
    money_form="{whole} {cents}",
    currencies={
        "US$": ("un dollar", "dollars", "cents"),
        "EUR": ("un euro", "euros", "centimes"),
        "USD": ("un dollar", "dollars", "cents"),
        "GBP": ("une livre", "livres", "pence"),
        "CHF": ("un franc suisse", "francs suisses", "centimes"),
        "€": ("un euro", "euros", "centimes"),
        "$": ("un dollar", "dollars", "cents"),
        "£": ("une livre", "livres", "pence"),
        "R$": ("un réal", "réaux", "centavos"),
        "¥": ("un yen", "yens", ""),
    },
    units={
        "s": "secondes",
        "km²": "kilomètres carrés",
        "m³": "mètres cubes",
        "ml": "millilitres",
        "mL": "millilitres",
        "L": "litres",
        "cL": "centilitres",
        "h": "heures",
        "cl": "centilitres",
        "mg": "milligrammes",
        "kW": "kilowatts",
        "kWh": "kilowattheures",
        "W": "watts",
        "V": "volts",
        "Hz": "hertz",
        "To": "téraoctets",
        "t": "tonnes",
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
        "Cie": "compagnie",
        "Pr.": "professeur",
        "c. à s.": "cuillères à soupe",
        "c. à c.": "cuillères à café",
        "Me": "maître",
        "Mgr": "monseigneur",
        "St": "saint",
        "Ste": "sainte",
        "tél.": "téléphone",
        "Tél.": "téléphone",
        "bd": "boulevard",
        "bld": "boulevard",
        "av. J.-C.": "avant Jésus-Christ",
        "apr. J.-C.": "après Jésus-Christ",
        "svp": "s'il vous plaît",
        "max.": "maximum",
        "min.": "minimum",
        "vs": "contre",
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
        "c.-à-d.": "c'est-à-dire",
    },  # fmt: skip
    symbols={
        "×": "fois",
        "÷": "divisé par",
        "<": "inférieur à",
        ">": "supérieur à",
        "≈": "environ",
        "±": "plus ou moins",
        "*": "fois",
        "&": "et",
        "+": "plus",
        "=": "égale",
        "@": "arobase",
        "°": "degrés",
    },
    num2words_language="fr",
    month_patterns="janv févr mars avr mai juin juil août sept oct nov déc",
    first_ordinal_feminine="première",
    ordinal_suffix_pattern=r"(?:er|e|è|ème|eme)\b|(?P<feminine>re|ère)\b",
    listed_ordinals={
        "1ers": "premiers",
        "1res": "premières",
        "2nd": "second",
        "2nde": "seconde",
        "2d": "second",
        "2de": "seconde",
    },
    century_word="siècle",
    numbered_words="chapitre tome volume acte partie livre titre annexe niveau type phase section",
    ruler_numbers="cardinal",
    range_word="à",
    minus_word="moins",
    about_word="environ",
    by_word="par",
    hours_form="{hour} heures",
    time_suffix_pattern="h",
    half=("un demi", "une demi"),
    one=("un", "une"),
    and_half_form="{whole} et demi",
    fraction_conjunction="et",
    fractions={
        "1/3": "un tiers",
        "2/3": "deux tiers",
        "1/4": "un quart",
        "3/4": "trois quarts",
        "1/5": "un cinquième",
        "2/5": "deux cinquièmes",
        "3/5": "trois cinquièmes",
        "4/5": "quatre cinquièmes",
        "1/8": "un huitième",
        "1/10": "un dixième",
    },
    magnitudes={
        "M": ("million", "millions"),
        "million": ("million", "millions"),
        "millions": ("million", "millions"),
        "Md": ("milliard", "milliards"),
        "Mds": ("milliard", "milliards"),
        "milliard": ("milliard", "milliards"),
        "milliards": ("milliard", "milliards"),
    },
    magnitude_prepositions=("de", "d'"),
    abbreviations_before_number={
        "p.": "page",
        "pp.": "pages",
        "art.": "article",
        "chap.": "chapitre",
        "vol.": "volume",
        "fig.": "figure",
        "env.": "environ",
    },
    feminine_nouns="""
        mort morts règle règles raison raisons façon façons leçon leçons copie copies calorie calories -ée -ées -tion
        -tions -sion -sions -ette -ettes -esse -esses -ade -ades -aine -aines -elle -elles -ance -ances -ille -illes
        personne personnes fois page pages heure heures minute minutes seconde secondes semaine semaines journée
        journées année années femme femmes fille filles table tables chambre chambres voiture voitures cuillère
        cuillères tasse tasses tranche tranches place places pièce pièces ligne lignes étoile étoiles équipe équipes
        école écoles entreprise entreprises victoire victoires voix main mains nuit nuits part parts tonne tonnes
        gousse gousses pincée pincées carotte carottes pomme pommes tomate tomates orange oranges feuille feuilles
        boîte boîtes bouteille bouteilles goutte gouttes noix branche branches maison maisons ville villes langue
        langues image images photo photos vidéo vidéos partie parties étape étapes vie vies
    """,
    masculine_nouns="""
        elle elles stade stades domaine domaines capitaine capitaines malade malades squelette grade grades mille
        milles codicille portefeuille million milliard musée musées lycée lycées trophée trophées
    """,
    feminine_number_changes=((r"\bun$", "une"),),
    plural_endings=("s", "x"),
    before_date_pattern=r"(?:le|du|au)",
    multiplier_word="fois",
    once_words="une fois",
    rate_words={
        "mois": "par mois",
        "an": "par an",
        "jour": "par jour",
        "semaine": "par semaine",
        "heure": "de l'heure",
        "h": "de l'heure",
        "kg": "par kilo",
        "litre": "par litre",
        "l": "par litre",
        "personne": "par personne",
        "nuit": "la nuit",
        "m²": "par mètre carré",
        "s": "par seconde",
        "min": "par minute",
        "km": "du kilomètre",
        "100 km": "aux cent kilomètres",
    },  # fmt: skip
    spelled_acronyms="""
        UE IA BCE FMI OMS PME RSA LFI IVG USB ADN ARN URL PDF SNCF RATP TGV CDI CDD RN PS LR RTT ETI IUT IRM ONG CV
        VTC
    """,
    solid_telephone_pattern=r"0\d{9}|\+?33\d{9}",
    telephone_words="tél tel téléphone appelez fax portable numéro",
    telephone_pattern=r"0\d(?:[ .]\d\d){4}",
    telephone_in_pairs=True,
    address_words={
        "@": "arobase",
        ".": "point",
        "/": "barre oblique",
        "-": "tiret",
        "_": "tiret bas",
        "www": "trois w",
    },
)

ITALIAN = Locale(
    before_spelled_pattern=r"\b(?:[Ll]|[Dd]ell|[Aa]ll|[Dd]all|[Nn]ell|[Ss]ull)['’]",
    one_before_vowel="un'",
    form_changes=((r"(?<!\w)un' (?=\w)", "un'"), (r"\bun(?= (?:z|s[^aeiou\W]|gn|ps|pn|x|y)\w)", "uno")),
    espeak_voice="it",
    months="gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    date_form="{day} {month} {year}",
    first_of_month="primo",
    time_form="{hour} e {minute}",
    full_hour_form="{hour} in punto",
    percent="per cento",
    money_form="{whole} e {cents}",
    currencies={
        "US$": ("un dollaro", "dollari", "centesimi"),
        "EUR": ("un euro", "euro", "centesimi"),
        "USD": ("un dollaro", "dollari", "centesimi"),
        "GBP": ("una sterlina", "sterline", "penny"),
        "CHF": ("un franco svizzero", "franchi svizzeri", "centesimi"),
        "€": ("un euro", "euro", "centesimi"),
        "$": ("un dollaro", "dollari", "centesimi"),
        "£": ("una sterlina", "sterline", "penny"),
        "R$": ("un real", "real", "centesimi"),
        "¥": ("uno yen", "yen", ""),
    },
    units={
        "s": "secondi",
        "km²": "chilometri quadrati",
        "mq": "metri quadrati",
        "m³": "metri cubi",
        "ml": "millilitri",
        "mL": "millilitri",
        "L": "litri",
        "cl": "centilitri",
        "mg": "milligrammi",
        "min": "minuti",
        "kW": "chilowatt",
        "kWh": "chilowattora",
        "W": "watt",
        "V": "volt",
        "Hz": "hertz",
        "TB": "terabyte",
        "t": "tonnellate",
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
        "Egr.": "egregio",
        "prof.ssa": "professoressa",
        "prof.": "professor",
        "dott.ssa": "dottoressa",
        "dott.": "dottor",
        "Dr.ssa": "dottoressa",
        "sig.ra": "signora",
        "sig.": "signor",
        "avv.": "avvocato",
        "ing.": "ingegner",
        "Gent.le": "gentile",
        "ad es.": "ad esempio",
        "per es.": "per esempio",
        "cfr.": "confronta",
        "Spett.le": "spettabile",
        "Gent.ma": "gentilissima",
        "Gent.mo": "gentilissimo",
        "On.": "onorevole",
        "Mons.": "monsignor",
        "Sigg.": "signori",
        "pagg.": "pagine",
        "tel.": "telefono",
        "Tel.": "telefono",
        "cell.": "cellulare",
        "P.zza": "piazza",
        "V.le": "viale",
        "C.so": "corso",
        "ca.": "circa",
        "max.": "massimo",
        "min.": "minimo",
        "vs.": "contro",
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
    symbols={
        "×": "per",
        "÷": "diviso",
        "<": "minore di",
        ">": "maggiore di",
        "≈": "circa",
        "±": "più o meno",
        "*": "per",
        "&": "e",
        "+": "più",
        "=": "uguale",
        "@": "chiocciola",
        "°": "gradi",
    },
    num2words_language="it",
    month_patterns="gen feb mar apr mag giu lug ago sett? ott nov dic",
    ordinal_suffix_pattern=r"\s?(?P<feminine>ª)|\s?[º°](?=\s(?!sotto|sopra|di\b|e\b|a\b|gradi)[a-zà-ù])"
    r"|\s?º(?!\s?[CF]\b)",
    century_word="secolo",
    numbered_words="secoli capitolo tomo volume titolo articolo atto libro allegato livello tipo canto parte sezione "
    "fase",
    ruler_numbers="ordinal",
    articles=("il lo l' del nel al dal", "la della nella alla dalla"),
    range_word="a",
    minus_word="meno",
    about_word="circa",
    by_word="per",
    hours_form="{hour}",
    time_suffix_pattern="h",
    half=("mezzo", "mezza"),
    one=("uno", "una"),
    and_half_form="{whole} e {half}",
    fraction_conjunction="e",
    fractions={
        "1/3": "un terzo",
        "2/3": "due terzi",
        "1/4": "un quarto",
        "3/4": "tre quarti",
        "1/5": "un quinto",
        "2/5": "due quinti",
        "3/5": "tre quinti",
        "4/5": "quattro quinti",
        "1/8": "un ottavo",
        "1/10": "un decimo",
    },
    magnitudes={
        "M": ("milione", "milioni"),
        "mln": ("milione", "milioni"),
        "milione": ("milione", "milioni"),
        "milioni": ("milione", "milioni"),
        "mld": ("miliardo", "miliardi"),
        "miliardo": ("miliardo", "miliardi"),
        "miliardi": ("miliardo", "miliardi"),
        "mila": ("mila", "mila"),
    },
    magnitude_prepositions=("di", "di"),
    abbreviations_before_number={
        "p.": "pagina",
        "pp.": "pagine",
        "n.": "numero",
        "nr.": "numero",
        "art.": "articolo",
        "cap.": "capitolo",
        "vol.": "volume",
        "fig.": "figura",
    },
    feminine_nouns="""
        canzone opinione riunione religione unione automobile cattedrale capitale regione stagione ragione lista vista
        pista rivista meta crema forma gamma somma fiamma mamma dieta moneta ricetta planimetria prima firma -a -zione
        -sione -tà -tù -gione -udine notte parte classe chiave luce mano voce fase frase base serie rete fonte pelle
        neve carne estate nave croce legge fine ora tazza tazze ore crisi ipotesi tesi analisi foto moto auto
    """,
    masculine_nouns="""
        -ista -eta -ema -oma -ama pigiama cinema panorama atleta trauma poeta collega -o -ore -ame -ale -ile -one
        -iere problema sistema programma tema pianeta poema clima dramma diploma mese giorno euro bar film gol
        computer milione miliardo kilo chilo
    """,
    non_nouns="""
        della dalla alla nella sulla dello allo sono questo questa quello quella quando contro sopra sotto dopo prima
        senza circa poco tutto solo anche ancora sia poi fa era sarà per con tra fra ogni ma qui come adesso allora
        via
    """,
    plural_endings=(),
    masculine_number_changes=((r"^uno$", "un"),),
    feminine_number_changes=((r"^uno$", "una"),),
    singular_changes=((r"orari\b", "orario"), (r"i\b", "o"), (r"ate\b", "ata")),
    before_time_pattern=r"(?:ore|alle|dalle|delle|le|h)",
    before_date_pattern=r"(?:il|al|dal|del)",
    multiplier_word="volte",
    once_words="una volta",
    rate_words={
        "mese": "al mese",
        "anno": "all'anno",
        "giorno": "al giorno",
        "settimana": "alla settimana",
        "ora": "all'ora",
        "h": "all'ora",
        "kg": "al chilo",
        "litro": "al litro",
        "l": "al litro",
        "persona": "a persona",
        "notte": "a notte",
        "m²": "al metro quadro",
        "mq": "al metro quadro",
        "s": "al secondo",
        "min": "al minuto",
        "km": "al chilometro",
        "100 km": "ogni cento chilometri",
    },  # fmt: skip
    spelled_acronyms="BCE FMI CGIL PMI ATM USB DNA RNA URL PDF UE IA OMS ONG CV TG GPL ADSL BTP PD",
    solid_telephone_pattern=r"(?:\+?39)?3\d{9}",
    telephone_words="tel telefono cell cellulare chiama fax whatsapp numero",
    telephone_pattern=r"3\d\d \d{3} \d{4}",
    address_words={
        "@": "chiocciola",
        ".": "punto",
        "/": "barra",
        "-": "trattino",
        "_": "trattino basso",
        "www": "vu vu vu",
    },
)

PORTUGUESE = Locale(
    acronym_letters={"E": "é", "O": "ó", "A": "á"},
    espeak_voice="pt-br",
    months="janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    date_form="{day} de {month} de {year}",
    first_of_month="primeiro",
    time_form="{hour} e {minute}",
    full_hour_form="{hour} horas",
    percent="por cento",
    money_form="{whole} e {cents}",
    currencies={
        "BRL": ("um real", "reais", "centavos"),
        "EUR": ("um euro", "euros", "centavos"),
        "USD": ("um dólar", "dólares", "centavos"),
        "GBP": ("uma libra", "libras", "centavos"),
        "CHF": ("um franco suíço", "francos suíços", "centavos"),
        "€": ("um euro", "euros", "centavos"),
        "R$": ("um real", "reais", "centavos"),
        "US$": ("um dólar", "dólares", "centavos"),
        "$": ("um dólar", "dólares", "centavos"),
        "£": ("uma libra", "libras", "centavos"),
        "¥": ("um iene", "ienes", ""),
    },
    units={
        "s": "segundos",
        "km²": "quilômetros quadrados",
        "m³": "metros cúbicos",
        "ml": "mililitros",
        "mL": "mililitros",
        "L": "litros",
        "ºC": "graus",
        "h": "horas",
        "mg": "miligramas",
        "min": "minutos",
        "kW": "quilowatts",
        "kWh": "quilowatts-hora",
        "W": "watts",
        "V": "volts",
        "Hz": "hertz",
        "TB": "terabytes",
        "t": "toneladas",
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
        "Exmo.": "excelentíssimo",
        "Exma.": "excelentíssima",
        "Ilmo.": "ilustríssimo",
        "Ilma.": "ilustríssima",
        "V. Exa.": "vossa excelência",
        "Sto.": "santo",
        "Sta.": "santa",
        "Eng.": "engenheiro",
        "págs.": "páginas",
        "tel.": "telefone",
        "Tel.": "telefone",
        "apto.": "apartamento",
        "séc.": "século",
        "Cia.": "companhia",
        "Ltda.": "limitada",
        "aprox.": "aproximadamente",
        "máx.": "máximo",
        "mín.": "mínimo",
        "vs.": "contra",
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
    symbols={
        "×": "vezes",
        "÷": "dividido por",
        "<": "menor que",
        ">": "maior que",
        "≈": "aproximadamente",
        "±": "mais ou menos",
        "*": "vezes",
        "&": "e",
        "+": "mais",
        "=": "igual a",
        "@": "arroba",
        "°": "graus",
    },
    num2words_language="pt_BR",
    month_patterns="jan fev mar abr mai jun jul ago set out nov dez",
    ordinal_suffix_pattern=r"\.?\s?º(?!\s?[CF]\b)|\.°|\.?\s?(?P<feminine>ª)",
    century_word="século",
    numbered_words="séculos capítulo tomo volume título artigo ato livro parte seção fase anexo nível tipo",
    articles=("o do no ao", "a da na à"),
    range_word="a",
    minus_word="menos",
    about_word="cerca de",
    by_word="por",
    hours_form="{hour} horas",
    time_suffix_pattern="h|hs|hrs",
    half=("meio", "meia"),
    one=("um", "uma"),
    and_half_form="{whole} e {half}",
    fraction_conjunction="e",
    fractions={
        "1/3": "um terço",
        "2/3": "dois terços",
        "1/4": "um quarto",
        "3/4": "três quartos",
        "1/5": "um quinto",
        "2/5": "dois quintos",
        "3/5": "três quintos",
        "4/5": "quatro quintos",
        "1/8": "um oitavo",
        "1/10": "um décimo",
    },
    magnitudes={
        "mi": ("milhão", "milhões"),
        "M": ("milhão", "milhões"),
        "milhão": ("milhão", "milhões"),
        "milhões": ("milhão", "milhões"),
        "bi": ("bilhão", "bilhões"),
        "bilhão": ("bilhão", "bilhões"),
        "bilhões": ("bilhão", "bilhões"),
        "tri": ("trilhão", "trilhões"),
        "trilhões": ("trilhão", "trilhões"),
        "mil": ("mil", "mil"),
    },
    magnitude_prepositions=("de", "de"),
    abbreviations_before_number={
        "p.": "página",
        "pp.": "páginas",
        "n.": "número",
        "art.": "artigo",
        "cap.": "capítulo",
        "vol.": "volume",
        "fig.": "figura",
    },
    feminine_nouns="""
        cama camas rama goma forma formas lista listas pista pistas vista vistas revista revistas conquista meta metas
        receita receitas plataforma plataformas semana semanas chama chamas fama soma somas morte mortes ordem ordens
        crise crises dose doses lei leis região regiões opinião opiniões reunião reuniões religião religiões questão
        questões mãe mães lente lentes -a -as -ção -ções -são -sões -dade -dades -gem -gens -tude mulher mulheres vez
        vezes noite noites tarde tardes parte partes classe classes mão mãos flor flores voz vozes luz luzes série
        séries fase fases frase frases base bases chave chaves ponte pontes rede redes torre torres semente sementes
        cor cores dor dores maçã maçãs irmã irmãs manhã manhãs foto fotos moto motos libras
    """,
    masculine_nouns="""
        coração corações -ista -istas -eta -etas -ema -emas -oma -omas -ama -amas pijama pijamas sintoma sintomas dia
        dias mapa mapas problema problemas sistema sistemas programa programas tema temas idioma idiomas planeta
        planetas poema poemas grama gramas quilograma quilogramas miligramas cinema cinemas drama dramas diploma
        diplomas artista artistas turista turistas
    """,
    non_nouns="""
        para contra agora era cada pela pelas na nas da das a as mas mais menos dois duas três seis depois antes ela
        elas
    """,
    feminine_number_changes=((r"\bum\b", "uma"), (r"\bdois\b", "duas"), (r"entos\b", "entas")),
    before_date_pattern=r"dia",
    multiplier_word="vezes",
    once_words="uma vez",
    rate_words={
        "mês": "por mês",
        "ano": "por ano",
        "dia": "por dia",
        "semana": "por semana",
        "hora": "por hora",
        "h": "por hora",
        "kg": "por quilo",
        "quilo": "por quilo",
        "litro": "por litro",
        "l": "por litro",
        "pessoa": "por pessoa",
        "noite": "por noite",
        "m²": "por metro quadrado",
        "s": "por segundo",
        "min": "por minuto",
        "km": "por quilômetro",
        "100 km": "a cada cem quilômetros",
    },  # fmt: skip
    spelled_acronyms="""
        IBGE INSS IPVA IPTU ICMS TSE BNDES DNA RNA UFRJ UTI TI IPCA IOF CDI USB URL PDF IA OMS STF STJ CPF CNPJ FGTS
        RG
    """,
    solid_telephone_pattern=r"(?:\+?55)?\(?\d\d\)?9\d{8}",
    telephone_words="tel telefone fone celular ligue whatsapp fax",
    telephone_pattern=r"(?:\(\d\d\) ?)?9?\d{4}-\d{4}",
    address_words={
        "@": "arroba",
        ".": "ponto",
        "/": "barra",
        "-": "hífen",
        "_": "sublinhado",
        "www": "dáblio dáblio dáblio",
    },
)

HINDI = Locale(
    acronym_pattern="[B-DF-HJ-NP-TV-XZ]{2,4}",
    espeak_voice="hi",
    months="जनवरी फ़रवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर",
    date_form="{day} {month} {year}",
    first_of_month="1",
    time_form="{hour} बजकर {minute} मिनट",
    full_hour_form="{hour} बजे",
    percent="प्रतिशत",
    money_form="{whole} {cents}",
    currencies={
        "रु": ("एक रुपया", "रुपये", "पैसे"),
        "Rs.": ("एक रुपया", "रुपये", "पैसे"),
        "Rs": ("एक रुपया", "रुपये", "पैसे"),
        "INR": ("एक रुपया", "रुपये", "पैसे"),
        "EUR": ("एक यूरो", "यूरो", "सेंट"),
        "USD": ("एक डॉलर", "डॉलर", "सेंट"),
        "₹": ("एक रुपया", "रुपये", "पैसे"),
        "रु.": ("एक रुपया", "रुपये", "पैसे"),
        "€": ("एक यूरो", "यूरो", "सेंट"),
        "$": ("एक डॉलर", "डॉलर", "सेंट"),
        "£": ("एक पाउंड", "पाउंड", "पेंस"),
        "¥": ("एक येन", "येन", ""),
    },
    units={
        "mm": "मिलीमीटर",
        "कि.मी.": "किलोमीटर",
        "मि.ली.": "मिलीलीटर",
        "कि.ग्रा.": "किलोग्राम",
        "से.मी.": "सेंटीमीटर",
        "ml": "मिलीलीटर",
        "mg": "मिलीग्राम",
        "m²": "वर्ग मीटर",
        "GB": "गीगाबाइट",
        "MB": "मेगाबाइट",
        "मी": "मीटर",
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
    abbreviations={
        "पं.": "पंडित",
        "कु.": "कुमारी",
        "सु.": "सुश्री",
        "मो.": "मोबाइल",
        "नं.": "नंबर",
        "ई.पू.": "ईसा पूर्व",
        "डॉ.": "डॉक्टर",
        "डा.": "डॉक्टर",
        "स्व.": "स्वर्गीय",
        "श्री.": "श्री",
        "प्रो.": "प्रोफ़ेसर",
    },
    has_thousands_commas=True,
    symbols={
        "×": "गुणा",
        "÷": "भाग",
        "<": "से कम",
        ">": "से अधिक",
        "≈": "लगभग",
        "±": "प्लस माइनस",
        "*": "गुणा",
        "&": "और",
        "+": "जमा",
        "=": "बराबर",
        "@": "एट",
        "°": "डिग्री",
    },
    ordinal_suffix_pattern=r"(?:ला|ली|ले|रा|री|रे|था|थी|थे|ठा|ठी|ठे|वाँ|वां|वीं|वें)",
    listed_ordinals={
        "1ला": "पहला",
        "1ली": "पहली",
        "1ले": "पहले",
        "2रा": "दूसरा",
        "2री": "दूसरी",
        "2रे": "दूसरे",
        "3रा": "तीसरा",
        "3री": "तीसरी",
        "3रे": "तीसरे",
        "4था": "चौथा",
        "4थी": "चौथी",
        "4थे": "चौथे",
        "5वां": "पाँचवाँ",
        "5वाँ": "पाँचवाँ",
        "5वीं": "पाँचवीं",
        "5वें": "पाँचवें",
        "6ठा": "छठा",
        "6ठी": "छठी",
        "6ठे": "छठे",
    },
    range_word="से",
    minus_word="माइनस",
    about_word="लगभग",
    by_word="गुणा",
    hours_form="{hour} बजे",
    time_suffix_pattern="बजे",
    half=("आधा", "आधा"),
    one=("एक", "एक"),
    and_half_form="साढ़े {whole}",
    fraction_conjunction="सही",
    fractions={
        "1 1/2": "डेढ़",
        "2 1/2": "ढाई",
        "1/3": "एक तिहाई",
        "2/3": "दो तिहाई",
        "1/4": "एक चौथाई",
        "3/4": "तीन चौथाई",
        "1/5": "एक बटा पाँच",
        "1/8": "एक बटा आठ",
    },
    magnitudes={
        "लाख करोड़": ("लाख करोड़", "लाख करोड़"),
        "करोड़": ("करोड़", "करोड़"),
        "लाख": ("लाख", "लाख"),
        "हज़ार": ("हज़ार", "हज़ार"),
        "हजार": ("हज़ार", "हज़ार"),
    },
    before_time_pattern=r"(?:शाम|सुबह|रात|दोपहर)",
    multiplier_word="गुना",
    once_words="एक गुना",
    rate_words={
        "माह": "प्रति माह",
        "महीना": "प्रति महीना",
        "दिन": "प्रति दिन",
        "घंटा": "प्रति घंटा",
        "किलो": "प्रति किलो",
        "kg": "प्रति किलो",
    },
    singular_changes=(),
    solid_telephone_pattern=r"(?:\+?91)?[6-9]\d{9}",
    spelled_acronyms="""
        ATM IAS IPS UPI FIR OTP EMI IPL IIT UPSC ICC ODI IPO EPF IIM UP MP AI IT US UK USB API URL CEO CBI ED UAE EU
        UN OBC EWS UGC IMF RBI SBI
    """,
    telephone_words="मो मोबाइल फ़ोन फोन संपर्क",
    telephone_pattern=r"[6-9]\d{4} \d{5}",
    address_words={"+": "प्लस", "@": "एट", ".": "डॉट", "/": "स्लैश", "-": "डैश", "_": "अंडरस्कोर", "www": "डब्ल्यू डब्ल्यू डब्ल्यू"},
)

LOCALES = {"e": SPANISH, "f": FRENCH, "h": HINDI, "i": ITALIAN, "p": PORTUGUESE}
"""The locales by Kokoro's letter."""
