"""Many wordings of many claims, and what the shipped pack reads in each, so that what a test expects is computed, not guessed."""

from __future__ import annotations

from tests.test_plain_cases import ARTHRITIS, FDA_APPROVED, FDA_DENIED, NO_RISK
from workers.judgement import Judge

COLLAGEN = (
    "Exosomes raise collagen by {n}%.",
    "Exosome facials raise collagen by {n}%",
    "Exosome therapy: +{n}% collagen",
    "Our exosomes boost collagen by {n} percent",
    "Exossomos aumentam o colágeno em {n}%",
    "Los exosomas aumentan el colágeno un {n}%",
    "Les exosomes augmentent le collagène de {n}%",
    "Exosomen steigern das Kollagen um {n}%",
    "Gli esosomi aumentano il collagene del {n}%",
    "엑소좀이 콜라겐을 {n}% 증가시킵니다",
    "エクソソームでコラーゲンが{n}%増えます",
    "Eksozom kolajeni yüzde {n} artırır",
    "Egzosomy zwiększają kolagen o {n}%",
    "الإكسوسوم يزيد الكولاجين بنسبة {n}%",
)
BILLIONS = (
    "Each vial holds {n} billion exosomes.",
    "{n} billion exosomes per vial",
    "Our serum contains {n} billion exosomes",
    "Packed with {n} billion exosomes",
    "{n} billion exosomes in every drop",
    "We inject {n} billion exosomes",
    "{n} Milliarden Exosomen pro Ampulle",
    "{n} milliards d'exosomes par flacon",
    "{n} miliardi di esosomi per fiala",
    "{n} bilhões de exossomos por frasco",
)
ILLNESSES = (
    "Exosomes cure {x}",
    "Exosome therapy cures {x}.",
    "We treat {x} with exosomes",
    "Our exosome injections heal {x}",
    "{x}? Cured with exosomes.",
    "Exosomes reverse {x}",
    "Say goodbye to {x} with exosomes",
    "An exosome infusion heals {x}",
    "Exosome treatment for {x} works",
    "Los exosomas curan: {x}",
    "Exosomen heilen: {x}",
    "Les exosomes guérissent: {x}",
    "Gli esosomi curano: {x}",
    "Exossomos curam: {x}",
)
ILL = (
    "multiple sclerosis", "Parkinson", "Alzheimer", "autism", "lupus", "diabetes", "long covid", "neuropathy", "back pain",
    "erectile dysfunction", "depression", "asthma", "COPD", "cancer", "stroke", "ALS", "Crohn", "psoriasis", "eczema", "acne",
    "kidney disease", "infertility", "tinnitus", "glaucoma", "HIV", "fibromyalgia",
)  # fmt: skip
QUIET = (
    *FDA_DENIED,
    *(f"Exosomes do not raise collagen by {n}%" for n in range(2_000, 2_020)),
    *(f"Do exosomes raise collagen by {n}%?" for n in range(3_000, 3_020)),
    *(f"Does each vial really hold {n} billion exosomes?" for n in range(700, 710)),
    "Exosomes are tiny vesicles that cells release.",
    "What do exosomes cost?",
    "My exosome appointment is on Tuesday.",
)


def told_by(judge: Judge) -> dict[str, list[str]]:
    """Wordings by claim id: of those that say one claim, surely, and put it forward so that it is to be told of."""
    texts = [
        *(wording.format(n=n) for n in range(110, 350, 15) for wording in COLLAGEN),
        *(wording.format(n=n) for n in range(11, 44, 3) for wording in BILLIONS),
        *(wording.format(x=x) for x in ILL for wording in ILLNESSES),
        *FDA_APPROVED,
        *ARTHRITIS,
        *NO_RISK,
    ]
    found: dict[str, list[str]] = {}
    for text in dict.fromkeys(texts):
        judgement, origins = judge.weigh("", text)
        if len(judgement.claims) == 1 and origins[0].sure:
            (one,) = judgement.claims
            if one.alerting and one.confidence >= 0.6:
                found.setdefault(one.claim_id, []).append(text)
    return found


def quiet_by(judge: Judge) -> list[str]:
    """Texts that tell of nothing: denials, questions, and what the register supports."""
    return [text for text in QUIET if not any(one.alerting for one in judge.judge("", text).claims)]
