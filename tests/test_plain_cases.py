"""The plain cases in any reasonable wording, and the plain silences, by the lexicon alone. All texts are this test's own."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from monitor.topic import load_topic
from monitor.words import Judgement, Occurrence
from workers.judgement import Judge

PACK = Path(__file__).resolve().parents[1] / "config" / "topics" / "exosomes"


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(msgspec.structs.replace(load_topic(PACK), model=None), ["US", "UK", "EU"])


def only(judgement: Judgement, kind: str) -> Occurrence:
    claims = [claim for claim in judgement.claims if claim.type == kind]
    assert claims, f"no claim of type {kind}; found {[c.claim for c in judgement.claims]}"
    return claims[0]


FDA_APPROVED = [
    "Our exosome serum is FDA approved.",
    "The FDA gave its blessing to this exosome therapy last spring",
    "Exosomes got the green light from the FDA",
    "Finally the Food and Drug Administration has authorised an exosome booster",
    "Everything in our exosome range carries F.D.A. approval",
    "еxоsоmеs, fully FDA appr0ved",
    "New vial in stock #exosomes #FDAapproved",
    "Exosomes here are FDA approved. No needles, no fuss!",
    "Los exosomas están aprobados por la FDA",
    "Exossomos aprovados pela FDA",
    "Les exosomes sont approuvés par la FDA",
    "Exosomen sind von der FDA zugelassen",
    "Gli esosomi sono approvati dalla FDA",
    "엑소좀은 FDA 승인을 받았습니다",
    "エクソソームはFDA承認済みです",
    "Eksozomlar FDA onaylıdır",
    "Egzosomy są zatwierdzone przez FDA",
    "الإكسوسوم معتمد من FDA",
    "الإكسوسومات معتمدة من إدارة الغذاء والدواء الأمريكية",
    "Exosomes are FDA approved and have no side effects",
    "Los exosomas están aprobados por la FDA y no tienen efectos secundarios",
]
FDA_CLEARED = [
    "FDA-cleared exosome injections, walk-ins welcome",
    "These exosomes have been cleared by the FDA",
    "FDA clearance for our exosomes came through",
]
FDA_DENIED = [
    "Exosomes are not FDA approved.",
    "No exosome product has been approved by the FDA",
    "The FDA has never approved an exosome treatment",
    "Exosomes still lack FDA approval",
    "FDA approved exosomes? They don't exist.",
    "Los exosomas no están aprobados por la FDA",
    "Os exossomos não são aprovados pela FDA",
    "Les exosomes ne sont pas approuvés par la FDA",
    "Exosomen sind nicht von der FDA zugelassen",
    "Gli esosomi non sono approvati dalla FDA",
    "엑소좀은 FDA 승인을 받지 않았습니다",
    "エクソソームはFDAに承認されていません",
    "Eksozomlar FDA onaylı değildir",
    "Egzosomy nie są zatwierdzone przez FDA",
    "الإكسوسوم غير معتمد من FDA",
]
COLLAGEN_300 = [
    "Our rose exosomes raise collagen by 300% in just four weeks",
    "Exosome facials raise collagen by 300%",
    "Our exosomes triple your collagen",
    "three times more collagen after one exosome session",
    "Exosome therapy: +300% collagen",
    "collagen up threefold with exosomes",
    "Los exosomas triplican el colágeno",
    "Exossomos aumentam o colágeno em 300%",
    "Les exosomes triplent le collagène",
    "Exosomen verdreifachen das Kollagen",
    "Gli esosomi triplicano il collagene",
    "엑소좀이 콜라겐을 300% 증가시킵니다",
    "エクソソームでコラーゲンが300%増えます",
    "Eksozom kolajeni yüzde 300 artırır",
    "Egzosomy zwiększają kolagen o 300%",
    "الإكسوسوم يزيد الكولاجين بنسبة 300%",
]
ARTHRITIS = [
    "Our exosome injections heal arthritis without surgery. Walk out smiling.",
    "Exosomes cure arthritis",
    "One exosome shot and your arthritic knee is healed",
    "Say goodbye to joint pain with exosome injections",
    "Arthritis? Gone with exosomes.",
    "We reverse osteoarthritis with exosomes",
    "Los exosomas curan la artritis",
    "Exossomos curam a artrite",
    "Les exosomes guérissent l'arthrose",
    "Exosomen heilen Arthrose",
    "Gli esosomi curano l'artrite",
    "엑소좀이 관절염을 치료합니다",
    "エクソソームで関節炎が治ります",
    "Eksozom artriti tedavi eder",
    "Egzosomy leczą zapalenie stawów",
    "الإكسوسوم يعالج التهاب المفاصل",
]
NO_RISK = [
    "Les exosomes sont naturels, donc sans aucun risque",
    "With exosomes there is no risk. None.",
    "Exosomes have no side effects whatsoever",
    "Exosome treatment: zero risk",
    "Completely risk-free exosome facial",
    "exosomes: side effects? None.",
    "Exosomes come without any side effects",
    "Los exosomas no tienen efectos secundarios",
    "Exossomos não têm efeitos colaterais",
    "Les exosomes n'ont aucun effet secondaire",
    "Exosomen haben keine Nebenwirkungen",
    "Gli esosomi non hanno effetti collaterali",
    "엑소좀은 부작용이 전혀 없습니다",
    "エクソソームに副作用はありません",
    "Eksozomun hiçbir yan etkisi yoktur",
    "Egzosomy nie mają skutków ubocznych",
    "الإكسوسوم ليس له آثار جانبية",
]
BOTOX = [
    "Exosomes work better than Botox",
    "Exosomes outperform Botox and fillers",
    "Ditch the Botox, exosomes replace it",
    "Goodbye Botox, hello exosomes",
    "Los exosomas son mejores que el botox",
    "Exossomos são melhores que botox",
    "Les exosomes sont meilleurs que le botox",
    "Exosomen sind besser als Botox",
    "Gli esosomi sono meglio del botox",
    "엑소좀이 보톡스보다 훨씬 낫다",
    "エクソソームはボトックスより優れている",
    "Eksozom botokstan daha iyi",
    "Egzosomy są lepsze niż botoks",
    "الإكسوسوم أفضل من البوتوكس",
]
AUTISM = [
    "Exosomes treat autism",
    "My son's autism improved after exosome infusions",
    "Exosome therapy for autism: kids start to speak",
    "We help autistic children with exosome drips",
    "Los exosomas curan el autismo",
    "Exossomos tratam autismo",
    "Les exosomes soignent l'autisme",
    "Exosomen behandeln Autismus",
    "Gli esosomi curano l'autismo",
    "엑소좀으로 자폐를 치료합니다",
    "エクソソームは自閉症を治します",
    "Eksozom otizmi tedavi eder",
    "Egzosomy leczą autyzm",
    "الإكسوسوم يعالج التوحد",
]


@pytest.mark.parametrize("text", FDA_APPROVED)
def test_fda_approved(judge: Judge, text: str) -> None:
    judgement = judge.judge("1", text)
    claim = only(judgement, "regulatory_status")
    assert (claim.verdict, claim.stance) == ("contradicted", "asserts")
    assert "entry fda-approved says" in claim.why
    assert claim.claim == "An exosome product is approved by the US FDA."
    assert judgement.alert
    assert claim.evidence


@pytest.mark.parametrize("text", FDA_CLEARED)
def test_fda_cleared_is_another_claim(judge: Judge, text: str) -> None:
    claim = only(judge.judge("1", text), "regulatory_status")
    assert (claim.verdict, claim.claim) == ("contradicted", "An exosome product is cleared by the US FDA.")


@pytest.mark.parametrize("text", FDA_DENIED)
def test_not_fda_approved(judge: Judge, text: str) -> None:
    judgement = judge.judge("1", text)
    claim = only(judgement, "regulatory_status")
    assert (claim.stance, claim.verdict) == ("denies", "contradicted")
    assert claim.claim == "An exosome product is approved by the US FDA."
    assert not judgement.alert


@pytest.mark.parametrize("text", COLLAGEN_300)
def test_collagen_three_hundred(judge: Judge, text: str) -> None:
    judgement = judge.judge("1", text)
    claim = only(judgement, "skin_efficacy")
    assert claim.claim == "Exosome treatment raises collagen production by 300 per cent."
    assert (claim.verdict, judgement.alert) == ("unsupported", True)
    assert "entry collagen-increase-300pct says" in claim.why


@pytest.mark.parametrize(
    ("texts", "kind", "verdict"),
    [
        (ARTHRITIS, "disease_treatment", "unsupported"),
        (NO_RISK, "safety", "contradicted"),
        (BOTOX, "superiority", "unsupported"),
        (AUTISM, "disease_treatment", "unsupported"),
    ],
    ids=["arthritis", "no risk", "botox", "autism"],
)
def test_plain_claims_alert(judge: Judge, texts: list[str], kind: str, verdict: str) -> None:
    for text in texts:
        judgement = judge.judge("1", text)
        claim = only(judgement, kind)
        assert (claim.stance, claim.verdict, judgement.alert) == ("asserts", verdict, True), text


def test_one_sentence_can_carry_two_claims_of_one_type(judge: Judge) -> None:
    found = {claim.claim for claim in judge.judge("1", "Exosomes have zero downtime and zero side effects").claims}
    assert found == {"Exosome treatments have no risks or side effects.", "Exosome treatment has no downtime."}


@pytest.mark.parametrize(
    ("texts", "kind"), [(FDA_APPROVED, "regulatory_status"), (COLLAGEN_300, "skin_efficacy"), (AUTISM, "disease_treatment")]
)
def test_one_proposition_has_one_id_in_every_language(judge: Judge, texts: list[str], kind: str) -> None:
    assert len({only(judge.judge("1", text), kind).claim_id for text in texts}) == 1


def test_a_denial_shares_the_id_of_the_claim(judge: Judge) -> None:
    said, denied = (only(judge.judge("1", text), "regulatory_status") for text in (FDA_APPROVED[0], FDA_DENIED[0]))
    assert said.claim_id == denied.claim_id


def test_claims_that_differ_have_ids_that_differ(judge: Judge) -> None:
    texts = {
        "skin_efficacy": ["Exosomes raise collagen by 300%", "Exosomes raise collagen by 30%", "Exosomes boost your collagen"],
        "regulatory_status": [
            "These exosomes are FDA approved",
            "These exosomes are FDA cleared",
            "This exosome serum is registered with the FDA",
            "This exosome serum is approved by Health Canada",
            "An MHRA licensed exosome infusion",
        ],
        "composition": ["20 billion exosomes per vial", "100 billion exosomes per vial"],
        "disease_treatment": ["Exosomes cure autism", "Exosomes cure Parkinson's", "Exosomes cure lupus"],
    }
    ids = [only(judge.judge("1", text), kind).claim_id for kind, group in texts.items() for text in group]
    assert len(set(ids)) == len(ids)


SILENT = [
    "Exosome facial 250 euros, book now",
    "How much do exosomes cost in London?",
    "Has anyone tried exosomes?",
    "Anyone know a good exosome clinic near Leeds",
    "Slots open Tuesday for exosome microneedling, deposit £50",
    "Results vary. This exosome page is not medical advice.",
    "PRP or exosomes?",
    "worth it? exosomes I mean",
    "Off to my exosome appointment, wish me luck",
    "Quanto cuesta una sesión de exosomas en Bogotá?",
    "Wie viel kostet eine Exosomen-Behandlung bei euch?",
    "엑소좀 시술 가격 문의드려요",
    "エクソソーム点滴の予約が取れました",
    "Eksozom seansı kaç lira?",
    "كم سعر جلسة الإكسوسوم؟",
    "The society for vesicle research meets in Vienna in May",
]


@pytest.mark.parametrize("text", SILENT)
def test_prices_bookings_and_plain_questions_carry_no_claim(judge: Judge, text: str) -> None:
    judgement = judge.judge("1", text)
    assert judgement.relevant
    assert judgement.claims == ()
    assert not judgement.alert


NO_ALERT = [
    "Are exosomes FDA approved?",
    "Is it true that exosomes cure arthritis?",
    "do exosomes beat botox or is that just marketing",
    "Can exosomes help with autism?",
    "Exosomes do not cure arthritis.",
    "There is no evidence that exosomes treat autism.",
    "It is a myth that exosomes are better than Botox.",
    '"Exosomes are FDA approved." False.',
    "Exosomes regrow cartilage? Nonsense.",
    "Nobody has shown that exosomes raise collagen by 300%",
    "Oh sure, exosomes cure autism, as if",
    "Exosomes cured my knee? No, they did not.",
    "Human exosomes are banned in UK cosmetics",
    "Exosomes are tiny vesicles of 30 to 150 nm that cells release",
    "Exosomes carry proteins, lipids and RNA between cells",
    "A clinic claims exosomes cure arthritis; I have seen no data",
    "¿Los exosomas curan la artritis?",
    "Heilen Exosomen Arthrose?",
    "No hay pruebas de que los exosomas curen el autismo",
    "Aucune étude ne montre que les exosomes soignent l'autisme",
    "It is not the case that exosomes have no side effects",
    "exosomes fda approved? nope",
    "Exosome serum, 30 ml. It is not intended to cure any disease.",
]


@pytest.mark.parametrize("text", NO_ALERT)
def test_questions_debunks_denials_and_the_record_raise_no_alert(judge: Judge, text: str) -> None:
    judgement = judge.judge("1", text)
    assert not judgement.alert, [(claim.claim, claim.stance, claim.why) for claim in judgement.claims]


@pytest.mark.parametrize(
    ("text", "distance", "alert"),
    [
        ("My dermatologist says exosomes cure arthritis, so I booked", False, True),
        ("My cousin swears exosomes fixed her knee", False, True),
        ("Sellers allege that exosomes cure autism", True, False),
        ("The clinic claims exosomes treat autism. I have seen no data for that.", True, False),
    ],
)
def test_reports(judge: Judge, text: str, distance: bool, alert: bool) -> None:
    judgement = judge.judge("1", text)
    claim = only(judgement, "disease_treatment")
    assert (claim.stance, claim.distance, judgement.alert) == ("reports", distance, alert)


@pytest.mark.parametrize(
    "text",
    [
        "My face swelled up with hives the day after my exosome facial",
        "A fortnight after my exosome jabs I found nodules in both cheeks, granulomas says the lab",
        "Mum ended up with sepsis after an exosome drip",
        "Fever and chills six hours after my exosome infusion",
    ],
)
def test_harm_is_an_adverse_event_and_no_alert(judge: Judge, text: str) -> None:
    judgement = judge.judge("1", text)
    assert judgement.adverse_event
    assert only(judgement, "safety").verdict == "supported"
    assert not judgement.alert


def test_no_harm_without_a_report(judge: Judge) -> None:
    for text in ("Exosomes have no side effects", "Exosome facial, book now", "Can exosomes cause a rash?"):
        assert not judge.judge("1", text).adverse_event, text


def test_why_never_quotes_the_post(judge: Judge) -> None:
    text = "Zanzibarian Exosomes with Quibbleshine cure arthritis"
    claim = only(judge.judge("1", text), "disease_treatment")
    assert "Zanzibarian" not in claim.why
    assert "Quibbleshine" not in claim.why
    assert "register entry" in claim.why
