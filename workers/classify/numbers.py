"""Reads the numbers that make one claim differ from another: percentages, shares ("9 in 10"), factors ("triples"), counts ("20
billion", "300 growth factors"), lengths of time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from monitor.topic.lexicon import NumberKind

_TENS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen twenty thirty forty fifty sixty seventy eighty ninety"
)
_UNITS_ELSEWHERE = {  # folded: without accents
    2: "deux dos dois due zwei dwa iki",
    3: "trois tres tre drei trzy uc",
    4: "quatre cuatro quatro quattro vier cztery dort",
    5: "cinq cinco cinque funf piec bes",
    6: "sei sechs szesc alti",
    7: "sept siete sete sette sieben siedem yedi",
    8: "huit ocho oito otto acht osiem sekiz",
    9: "neuf nueve nove neun dziewiec dokuz",
    10: "dix diez dez dieci zehn dziesiec on",
    50: "cinquante cincuenta cinquenta cinquanta funfzig piecdziesiat elli",
}
_HUNDREDS_ELSEWHERE = {
    200: "doscientos doscientas duzentos duzentas duecento zweihundert dwiescie",
    300: "trescientos trescientas trezentos trezentas trecento dreihundert trzysta",
    400: "cuatrocientos quatrocentos quattrocento vierhundert czterysta",
    500: "quinientos quinientas quinhentos cinquecento funfhundert piecset",
    600: "seiscientos seiscentos seicento sechshundert szescset",
    800: "ochocientos oitocentos ottocento achthundert osiemset",
}
_WORDS: dict[str, float] = {
    **dict(zip(_TENS.split(), (*range(1, 21), 30, 40, 50, 60, 70, 80, 90), strict=True)),
    **dict.fromkeys(("hundred", "hundreds", "cent", "cents", "cien", "ciento", "hundert", "cem", "cento", "sto", "yuz"), 100),
    **{
        word: value
        for table in (_UNITS_ELSEWHERE, _HUNDREDS_ELSEWHERE)
        for value, words in table.items()
        for word in words.split()
    },
    **dict.fromkeys(("thousand", "mille", "mil", "tausend", "tysiac", "bin"), 1_000),
    "a": 1,
    "half": 50,
}
_JOINING = ("and", "et", "y", "e", "und")  # "two hundred and fifty"
_FACTORS: dict[str, float] = {
    **dict.fromkeys(
        ("double", "doubles", "doubled", "doubling", "twice", "twofold", "verdoppelt", "raddoppia", "raddoppiano"), 2
    ),
    **dict.fromkeys(("duplica", "dobra", "podwaja", "두배", "doblar"), 2),
    **dict.fromkeys(("triple", "triples", "tripled", "tripling", "threefold", "thrice", "trebles", "trebled", "treble"), 3),
    **dict.fromkeys(
        ("triplica", "triplican", "triplicano", "triplent", "verdreifacht", "verdreifachen", "potraja", "trebling"), 3
    ),
    **dict.fromkeys(("quadruple", "quadruples", "fourfold", "vervierfacht"), 4),
    **dict.fromkeys(("fivefold", "quintuples"), 5),
    "sixfold": 6,
    "tenfold": 10,
}
_SCALES: dict[str, int] = {
    **dict.fromkeys(("million", "millions", "mio", "millionen", "millones", "milhoes", "milioni", "milionow", "milyon"), 10**6),
    **dict.fromkeys(("billion", "billions", "bn", "billon", "bilion", "bil", "b", "milliards", "milliard", "milliarden"), 10**9),
    **dict.fromkeys(("bilhoes", "miliardi", "miliardow", "miliardy", "milyar", "mld", "mrd"), 10**9),
    **dict.fromkeys(("trillion", "trillions", "trilhao", "trilhoes", "trilyon"), 10**12),
    **dict.fromkeys(("億", "억"), 10**8),
    **dict.fromkeys(("兆", "조"), 10**12),
    "مليار": 10**9,
    "مليون": 10**6,
}
# With separators of thousands, or with decimals.
_NUMBER = r"(\d{1,3}(?:[.,]\d{3}){1,3}(?!\d)|\d{1,9}(?:[.,]\d{1,3})?)"
_PERCENT = re.compile(
    rf"{_NUMBER} ?(?:%|٪|per ?cent|percent|pct|prozent|por ?ciento|por ?cento|pour ?cent|per ?cento|procent|yuzde|배 )"
)
_BEFORE_PERCENT = re.compile(rf"(?:yuzde|%) ?{_NUMBER}")
_WORD_PERCENT = re.compile(
    r"\b((?:[a-z]{1,15}[ -]){0,4}[a-z]{1,15})[ -](?:per ?cent|percent|prozent|por ciento|por cento|pour cent|per cento|procent)\b"
)
_WORD_BEFORE_PERCENT = re.compile(r"\byuzde ((?:[a-z]{1,15} ){0,2}[a-z]{1,15})\b")
_TIMES = re.compile(
    rf"{_NUMBER}(?: ?x\b| ?- ?fold|fold| times| fach| mal\b| veces| vezes| fois| volte| kat\b| razy| ?배| ?倍| اضعاف| مرات)"
)
_WORD_TIMES = re.compile(r"\b([a-z]+)(?:[ -](?:times|fold|veces|vezes|fois|volte|kat|razy|mal)\b)")
_ARABIC_TIMES = {"مرتين": 2, "ثلاث مرات": 3, "ثلاثه اضعاف": 3, "اربع مرات": 4}
# After a percentage: a price cut, or a word that it only makes stronger ("100% natural").
_NO_AMOUNT = re.compile(r" ?(?:off\b|discount|rabatt|(?:all[ -]?)?natur|pur[aeo]?\b|safe|real\b|vegan|organic|guarante|money)")
_OUT_OF = re.compile(
    r"\b(\d{1,3}|[a-z]{2,15}) ?(?:out of every|out of|in every|in|of|von|sur|de cada|de|em cada|em|su|na|z|/)"
    r" ?(10|100|ten|hundred|zehn|diez|dez|dix|dieci|dziesiec)\b"
)
_OUT_OF_TURNED = re.compile(r"\b(10+) ?(?:명|人)? ?(?:중|kisiden|kisinin|hastadan|から|中) ?(\d{1,3})")
_TENTHS = re.compile(r"(\d{1,2}(?:\.\d)?)割")
_PLAIN = re.compile(r"(?<![\w.,])(\d{1,3}(?:[.,]\d{3}){1,3}|\d{2,7})(?![\d%]|[.,]\d| ?(?:%|ml\b|mg\b|cc\b|years?\b))")
_COUNT = re.compile(
    rf"(?:{_NUMBER}|\b([a-z]+(?:[ -][a-z]+)?))( mil)? ?[- ]?({'|'.join(sorted(_SCALES, key=len, reverse=True))})(?![a-z])"
)  # "25 mil millones": thousands of millions
_POWER = re.compile(r"\b(\d(?:\.\d)?) ?(?:x ?10 ?\^? ?|e)(\d{1,2})\b")
_LONG = re.compile(r"\b\d{1,3}(?:[.,]\d{3}){2,4}\b")
_YEAR_OF_A_CALENDAR = 1_000
_UNIT_WORDS = {
    ("day", 1): "day days tag tage tagen dia dias jour jours giorno giorni dzien dni gun 일 日 日間 يوم ايام",
    ("week", 7): "week weeks wk wks woche wochen semana semanas semaine semaines settimana settimane tydzien tygodnie tygodni "
    "hafta 주 週 週間 اسبوع اسابيع",
    ("month", 30): "month months mth mths monat monate monaten mes meses mois mese mesi miesiac miesiace miesiecy ay "
    "개월 달 か月 ヶ月 カ月 ヵ月 شهر اشهر شهور",
    ("year", 365): "year years yr yrs jahr jahre jahren ano anos an ans annee annees anno anni rok lata lat yil yas 년 살 年 歳 "
    "سنه سنوات عام اعوام",
}
_UNITS = {word: unit for unit, words in _UNIT_WORDS.items() for word in words.split()}
# Two words stand apart from the unit, or "one day" would be "one d" of the Turkish months "ay".
_TIME = re.compile(
    rf"(?:{_NUMBER}[ -]?|\b([a-z]+[ -][a-z]+)[ -]|\b([a-z]+)[ -]?)({'|'.join(sorted(_UNITS, key=len, reverse=True))})(?![a-z])"
)


def read_number(kind: NumberKind, text: str) -> str | None:
    """The number of that kind in a short folded text, in a canonical form ("300", "20-billion", "18-months"), or None.

    Of `percent`, "triples" and "3x" are read as 300 and "doubles" as 100, which is how adverts use them.
    """
    return _READERS[kind](text)


def _rise(text: str) -> str | None:
    percent = _percent(text)
    if percent is not None:
        return percent
    factor = _factor(text)
    if factor is None:
        return None
    return "100" if factor == 2 else _plain(factor * 100)


def _share(text: str) -> str | None:
    """A share of people in per cent: "90%", "nine out of ten", "10명 중 9명"."""
    percent = _percent(text)
    if percent is not None:
        return percent
    pairs = [(one[1], one[2]) for one in _OUT_OF.finditer(text)] + [(one[2], one[1]) for one in _OUT_OF_TURNED.finditer(text)]
    pairs += [(one[1], "10") for one in _TENTHS.finditer(text)]
    for written in pairs:
        part, whole = (float(one) if one[0].isdigit() else _words_value([one]) for one in written)
        if 0 < part <= whole:
            return _plain(part / whole * 100)
    return None


def _times(text: str) -> str | None:
    factor = _factor(text)
    return None if factor is None else _plain(factor)


def _number(text: str) -> str | None:
    """A number by itself, of two digits at least: "over 1,200"."""
    match = _PLAIN.search(text)
    return _plain(_value(match[1])) if match else None


def _duration(text: str) -> str | None:
    """The longest time that is named: who says that something lasts two years may say that it takes a week to show."""
    found = [(amount * days, amount, unit) for amount, unit, days in _times_named(text)]
    if not found:
        return None
    _, amount, unit = max(found)
    if unit == "month" and amount >= 12 and amount % 12 == 0:
        amount, unit = amount / 12, "year"
    return f"{_plain(amount)}-{unit}" + ("s" if amount != 1 else "")


def _years(text: str) -> str | None:
    named = [amount for amount, unit, _ in _times_named(text) if unit == "year"]
    return _plain(named[0]) if named else None


def _times_named(text: str) -> Iterator[tuple[float, str, int]]:
    """Amount, unit and the unit's days of each length of time in a text."""
    for match in _TIME.finditer(text):
        amount = _value(match[1]) if match[1] else _words_value(_last_numbers(match[2] or match[3]))
        unit, days = _UNITS[match[4]]
        if 0 < amount < _YEAR_OF_A_CALENDAR:
            yield amount, unit, days


def _percent(text: str) -> str | None:
    for match in (*_PERCENT.finditer(text), *_BEFORE_PERCENT.finditer(text)):
        if not _NO_AMOUNT.match(text, match.end()):
            return _plain(_value(match[1]))
    after, before = _WORD_PERCENT.search(text), _WORD_BEFORE_PERCENT.search(text)
    number = _words_value(_last_numbers(after[1])) if after else 0
    number = number or (_words_value(_first_numbers(before[1])) if before else 0)
    return _plain(number) if number else None


def _factor(text: str) -> float | None:
    match = _TIMES.search(text)
    if match:
        return _value(match[1])
    for match in _WORD_TIMES.finditer(text):
        if match[1] in _WORDS:
            return _WORDS[match[1]]
    for word in re.findall(r"[^\W\d_]+", text):
        if word in _FACTORS:
            return _FACTORS[word]
    return next((factor for words, factor in _ARABIC_TIMES.items() if words in text), None)


def _count(text: str) -> str | None:
    for match in _COUNT.finditer(text):
        amount = _value(match[1]) if match[1] else _words_value(_last_numbers(match[2]))
        if amount:
            return _named(amount * (1_000 if match[3] else 1) * _SCALES[match[4]])
    power = _POWER.search(text)
    if power and 6 <= int(power[2]) <= 15:
        return _named(float(power[1]) * 10.0 ** int(power[2]))
    long = _LONG.search(text)
    return _named(float(re.sub(r"[.,]", "", long[0]))) if long else None


def _value(digits: str) -> float:
    """A number as it is written: three digits after each separator are thousands (1,250 and 1.250), fewer are decimals."""
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", digits):
        return float(re.sub(r"[.,]", "", digits))
    return float(digits.replace(",", "."))


def _last_numbers(words: str) -> list[str]:
    """The number words at the end of some words; an article before one ("a ten-day plan") is none, but in "a hundred"."""
    found: list[str] = []
    for word in reversed(re.split(r"[ -]", words)):
        if word not in _WORDS and word not in _JOINING:
            break
        found.insert(0, word)
    article = found[:1] == ["a"] and (len(found) == 1 or _WORDS.get(found[1], 0) < 100)
    return found[1:] if article else found


def _first_numbers(words: str) -> list[str]:
    """The number words at the beginning of some words."""
    found: list[str] = []
    for word in words.split():
        if word not in _WORDS:
            break
        found.append(word)
    return found


def _words_value(words: Sequence[str]) -> float:
    """What number words come to ("two hundred and fifty": 250); 0 where there are none."""
    whole = part = 0.0
    for word in words:
        value = _WORDS.get(word, 0)
        if value == 1_000:
            whole, part = whole + (part or 1) * value, 0.0
        elif value == 100:
            part = (part or 1) * value
        else:
            part += value
    return whole + part


def _named(amount: float) -> str:
    for scale, name in ((10**12, "trillion"), (10**9, "billion"), (10**6, "million")):
        if amount >= scale:
            return f"{_plain(amount / scale)}-{name}"
    return _plain(amount)


def _plain(number: float) -> str:
    return f"{number:.10g}"


_READERS: dict[NumberKind, Callable[[str], str | None]] = {
    "percent": _rise,
    "share": _share,
    "count": _count,
    "number": _number,
    "factor": _times,
    "duration": _duration,
    "years": _years,
}
