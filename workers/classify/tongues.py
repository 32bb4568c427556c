"""Words that show what a writer does with a statement: denies, asks, reports, doubts, speaks of themselves. Eleven languages.

They are the same for every topic; a topic pack may add to any of them with a cue of the same name. The names:
  not        a negation, which turns what it stands beside
  unproven   says that something is false or not shown, for the whole sentence
  false      a short answer that denies the sentence before it
  yes        a short answer that affirms it
  ask        opens a question that may lack its mark
  whether    puts a statement in doubt as a question does
  says       a verb of saying
  alleges    someone says, and the writer keeps away from it
  source     whom one reports: my doctor, the clinic, a friend
  doubt      the writer does not vouch for what they report
  mock       sarcasm
  own        the writer's own body and life, or a relative's
  we         the voice of a seller or an office
Phrases stand between commas, in the pattern language of `monitor.topic.patterns`.
"""

from __future__ import annotations

from monitor.topic.patterns import Item, parse_phrase
from workers.classify.tongues_en import ENGLISH

_OTHERS: dict[str, dict[str, str]] = {
    "es": {
        "not": "no, nunca, jamas, ningun|ninguna|ninguno, tampoco, nadie, sin, ni",
        "unproven": (
            "no hay|existe|existen .. evidencia|pruebas|datos|estudios|ensayos, "
            "falso|falsa|mentira|mentiras|bulo|mito|engano, no es cierto|verdad, no esta demostrado|probado, "
            "falta|faltan evidencia|ensayos|estudios|pruebas, sin evidencia|pruebas, no existe|existen"
        ),
        "false": "falso, falsa, mentira, mito, no es verdad|cierto, para nada",
        "ask": (
            "es|son|alguien|sabe|saben|puede|pueden|curan|cura|funciona|funcionan, es verdad|cierto que, que tan, alguien sabe"
        ),
        "whether": "si es verdad|cierto, es verdad|cierto que, sera que, sabe|saben si",
        "says": "dice|dicen|dijo|asegura|aseguran|jura|promete|prometen|contaba|recuerda|comenta|cuenta|afirma, segun",
        "alleges": "supuestamente, supuesto|supuesta, pretenden, dizque",
        "source": (
            "mi|la|el|una|un doctora|doctor|dermatologa|dermatologo|amiga|amigo|clinica|vecina|esteticista|medica|medico|"
            "cunada, clinica|clinicas|anuncio|folleto|sociedad|influencer|etiqueta|gente|vendedor|vendedora"
        ),
        "doubt": "no he visto|encuentro, no me fio|convence|creo, sin datos|pruebas|fuente, no se, me suena, no conozco",
        "mock": "claro que si, si claro, y yo soy, aja, como no, jajaja*",
        "own": "mi|mis|me|yo|mio|mia|sobrino|tia|madre|padre|marido|suegra|hijo|hija|abuela",
        "we": "nuestro|nuestra|nuestros|nuestras|reserva|cita|citas|pide|oferta|descuento",
    },
    "pt": {
        "not": "nao, nunca, nenhum|nenhuma, ninguem, sem, nem, jamais, proibido|proibida",
        "unproven": (
            "nao ha|existe|existem .. evidencia|provas|estudos|dados, falta evidencia|comprovacao, "
            "mentira|balela|falso|mito|golpe, nao e verdade, sem comprovacao|evidencia|provas, nao existe"
        ),
        "false": "falso, mentira, mito, nao e verdade, nada disso",
        "ask": "alguem, sera, e verdade, sabe|sabem, quanto, qual, ja",
        "whether": "e verdade que, sera que, sabe|sabem se, ou so, ja aprovou",
        "says": "diz|dizem|disse|falou|falaram|jurou|jura|garante|garantiu|contou|afirma|explica, segundo",
        "alleges": "supostamente, alegam, dizem que, jurou que",
        "source": (
            "minha|meu|a|o|uma|um dermato|medica|medico|biomedica|amiga|amigo|clinica|doutora|doutor|vendedora|"
            "esteticista|vizinha, clinica|clinicas|anuncio|rotulo|influencer|gente|pessoal|moca"
        ),
        "doubt": "nao vi|achei|sei|confio|acredito, desconfi*, duvido, sem fonte|estudo, achei estranho",
        "mock": "claro ne, claro que, aham, kkkk*, ah ta, ata, sei",
        "own": "meu|minha|me|eu|mae|pai|marido|sogra|filho|filha|avo|meus|minhas",
        "we": "nosso|nossa|agende|agenda|promocao|whatsapp|vagas",
    },
    "fr": {
        "not": "ne, pas, jamais, aucun|aucune, rien, ni, sans, n, non",
        "unproven": (
            "aucune preuve|etude|donnee, pas .. prouve|demontre|etabli, faux|fausse|mensonge|mensonges|arnaque|mythe, "
            "n importe quoi, pas vrai, sans preuve, n existe pas"
        ),
        "false": "faux, non, mensonge, n importe quoi, pas du tout",
        "ask": "est ce, quelqu un, c est vrai, vous savez, les, ca marche, y a t il",
        "whether": "c est vrai que, est il vrai, savoir si, si c est vrai, est ce que",
        "says": (
            "dit|disent|assure|jure|promet|promettent|vantent|raconte|affirme|affirment|garantit|explique, selon, d apres, parait"
        ),
        "alleges": "soi disant, pretendument, pretend|pretendent, vantent",
        "source": (
            "mon|ma|la|le|une|un dermato|dermatologue|medecin|copine|copain|clinique|estheticienne|docteur|voisine|amie|"
            "ami|chirurgien, clinique|cliniques|pub|brochure|etiquette|influenceuse|vendeuse|institut|confreres|medspa"
        ),
        "doubt": (
            "je doute, j ai des doutes, pas vu|trouve|convaincu|convaincue, aucune etude, sceptique, je n ai vu, bof, mouais"
        ),
        "mock": "bien sur, mais oui, ben voyons, bah oui, mdr, c est ca",
        "own": "mon|ma|mes|je|j|moi|mari|mere|pere|soeur|fille|fils|grand mere",
        "we": "notre|nos|reservez|rdv|prenez|offre|cabinet",
    },
    "de": {
        "not": "nicht, kein|keine|keinen|keiner|keinem|keinerlei, nie, niemals, nichts, ohne, nix, null, nirgends, weder",
        "unproven": (
            "kein|keine|keinerlei .. beleg|belege|beweis|beweise|studie|studien|daten|nachweis, "
            "unsinn|quatsch|falsch|luge|gelogen|marchen, nicht .. belegt|bewiesen|nachgewiesen|erwiesen|geklart, "
            "stimmt nicht, unbewiesen, mythos, ohne beleg|beweis"
        ),
        "false": "falsch, nein, quatsch, unsinn, nicht wahr, stimmt nicht, mythos",
        "ask": "ist|sind|hat|haben|kann|konnen|weiss|gibt|stimmt|wirken|helfen|heilen, stimmt es, ist es wahr, weiss jemand",
        "whether": "stimmt es, ist es wahr, weiss jemand, ob, eigentlich",
        "says": "sagt|sagen|sagte|verspricht|versprechen|schwort|meint|meinte|erzahlt|erklart|verrat|hort, laut, nach angaben",
        "alleges": "angeblich, behauptet|behaupten, soll|sollen, vermeintlich",
        "source": (
            "mein|meine|meiner|die|der|das|eine|ein arztin|arzt|hautarzt|hautarztin|freundin|freund|klinik|kosmetikerin|"
            "heilpraktikerin|nachbarin|dame|praxis|anbieter|kollegin|chirurg, "
            "klinik|kliniken|werbung|broschure|prospekt|hersteller|influencerin|etikett"
        ),
        "doubt": (
            "glaub|glaube nicht|kaum, skeptisch|unsicher|zweifel|bezweifle, keine daten|studie|belege|ahnung, na ja, naja, "
            "nicht uberzeugt, ich sehe"
        ),
        "mock": "ja klar, na klar, sicher doch, klar doch, haha, schon klar",
        "own": "mein|meine|meinen|meiner|ich|mir|mich|mann|mutter|vater|oma|schwester|tochter|sohn",
        "we": "unser|unsere|unserer|unseren|buchen|jetzt|termin|termine|angebot",
    },
    "it": {
        "not": "non, nessun|nessuna|nessuno, mai, niente, nulla, senza, ne",
        "unproven": (
            "nessuna|nessun .. prova|studio|evidenza|dato, falso|falsa|bufala|balle|mente|mentono|truffa|mito, "
            "non .. dimostrato|provato|dimostrata|vero, senza prove, non esiste|esistono, come no"
        ),
        "false": "falso, no, bufala, balle, non e vero, macche",
        "ask": "qualcuno, e vero, ma, funziona|funzionano|sono|fanno, sapete",
        "whether": "e vero che, sapete se, qualcuno sa, si o no",
        "says": (
            "dice|dicono|assicura|giura|promette|promettono|racconta|garantisce|spiega|afferma|avverte, secondo, ha detto, "
            "mi ha detto"
        ),
        "alleges": "a quanto pare, sostengono, presunto|presunti, affermano, si dice",
        "source": (
            "mio|mia|il|la|lo|una|un dottoressa|dottore|dermatologa|dermatologo|amica|amico|clinica|chirurgo|estetista|"
            "venditore|medico, clinica|cliniche|pubblicita|etichetta|influencer|venditore|azienda|gente"
        ),
        "doubt": "boh, mah, non mi fido|convince, nessuno studio|dato, scettico|scettica, non ho visto|trovato, dubito",
        "mock": "si certo, come no, certo certo, eh gia, seh, si come",
        "own": "mio|mia|miei|mie|mi|io|ho|mamma|papa|nonna|sorella|cugina|zia|marito|figlio|figlia",
        "we": "nostro|nostra|nostri|nostre|prenota|noi|offerta|sconto",
    },
    "ko": {
        "not": "안, 않*, 아니*, 아닙*, 없*, 못*, 적이 없*, 적 없*",
        "unproven": "근거 없*|부족*, 증거 없*, 거짓*, 허위*, 구라*, 사실이 아니*, 증명되지, 입증되지, 검증되지",
        "false": "아니*, 거짓*, 구라*, 사실무근",
        "ask": "혹시, 정말, 진짜*",
        "whether": "맞나요, 인가요, 믿어도, 있나요, 되나요, 나요, 일까요, 인지, 까요, 맞는지",
        "says": "대요, 다고, 라고, 래요, 답니다, 말씀*, 말했*, 했어요, 하더라*, 설명*, 밝혔*, 하시*",
        "alleges": "라는데, 주장*, 대요ㅋ*, 다는데, 래ㅋ*",
        "source": "원장님, 실장님*, 의사*, 병원*, 친구*, 언니*, 피부과*, 광고*, 인스타*, 상담*, 선생님*",
        "doubt": "모르겠*, 의심*, 글쎄*, 못 봤*, 안 믿*, 근거*, 글쎄, 과연",
        "mock": "네네, 퍽이나, 어련*, ㅋㅋㅋㅋ*, 그래 그래",
        "own": "저*, 제*, 내, 나, 엄마*, 아빠*, 남편*, 제가",
        "we": "예약*, 상담*, 이벤트*, 문의*, 저희*, 원장입니다",
    },
    "ja": {
        "not": "ない, ません, なし, じゃない, ではない, なかった, ゼロ, 未承認, ず",
        "unproven": "根拠はない, 根拠がない, 証拠はない, エビデンスはない, エビデンスがない, 嘘, デマ, うそ, データはない, "
        "証明されていない, "
        "証明されてない, 誤り, 間違い, わけじゃない, わけではない",
        "false": "嘘, 違います, いいえ, うそ, 誤り",
        "ask": "本当に, 誰か, 教えて",
        "whether": "ですか, ますか, でしょうか, のかな, のか, 本当なの, んですか, かな",
        "says": "だそう, と言, って言, いわく, によると, らしい, と書, と説明, とのこと, と聞, そうです",
        "alleges": "と主張, とまで書, と謳, みたいな広告",
        "source": "先生, 友人, クリニック, 医師, 知人, エステ, 店員, 友達, ラベル, 広告, サイト",
        "doubt": "見たことがない, 怪しい, 疑問, どうなんだろ, 眉唾, 信じてない, ソース, 本当か, 信用",
        "mock": "はいはい, すごいすごい, いらんやん, そんなわけ",
        "own": "私, 僕, 俺, 父, 母, 夫, 妻, 自分, うち, まじ",
        "we": "予約, 受付, 当院, お待ち, モニター, 無料, 患者様",
    },
    "tr": {
        "not": (
            "degil*, yok, yoktur, hayir, hic, asla, hicbir, olmaz, olmuyor, etmiyor, etmez, onaylamadi, vermedi, almadi, sifir"
        ),
        "unproven": (
            "kanit yok, kanitlanmamis, kanitlanmadi, kanitlanmis degil, yalan, palavra, uydurma, dogru degil, "
            "bilimsel dayanagi yok, belge yok, urun yok, ispatlanmadi, hurafe"
        ),
        "false": "hayir, yalan, degil, yok oyle, palavra",
        "ask": "acaba, bilen, gercekten",
        "whether": "mi, mu, midir, mudur, dogru mu, var mi, bilen biri, oldu mu",
        "says": "diyor*, dedi|dediler|diyo|diyolar|soyluyor|soyledi|anlatti|duyurdu|yaziyor|soyler, gore, dedi ki",
        "alleges": "iddia*, guya, sozde, diye satiyorlar",
        "source": (
            "hocam, doktor*, klinik*, arkadas*, dermatolog*, uzman*, kuzen*, abla*, merkez, komsu*, satici*, reklam*, "
            "kutuda, hoca"
        ),
        "doubt": "inanm*, emin degil*, goremedim, gormedim, kaynak yok, bilmiyorum, supheli, pazarlama",
        "mock": "tabii canim, tabi canim, tabii tabii, ya ya, eminim",
        "own": "benim|bana|ben|babam*|annem*|kocam*|ablam*|teyzem*|saclarim*|cildim*|yuzum*|yaptirdim|gordum|siz",
        "we": "klinigimiz*|bizim|randevu|rezervasyon|ampulumuz|stoklarda|ucretsiz",
    },
    "pl": {
        "not": "nie, zaden|zadna|zadnego|zadne, bez, nikt, nigdy, ani, nic, zero",
        "unproven": (
            "brak dowodow|badan|danych, nie ma .. dowodow|badan|danych, bzdura|bzdury|klamstwo|nieprawda|sciema, "
            "nieudowodnion*, nie udowodniono, to mit, nie zostalo .. udowodnione"
        ),
        "false": "nieprawda, nie, bzdura, klamstwo, wcale nie",
        "ask": "czy, ktos, naprawde",
        "whether": "czy, ktos wie, ktos sprawdzal",
        "says": "mowi|mowia|powiedzial*|zapewnia|zapewniaja|obiecuje|obiecuja|opowiada|slysze|tlumaczy, wedlug, zdaniem",
        "alleges": "rzekomo, podobno, twierdza, opowiadaja, niby",
        "source": (
            "moja|moj|pani|pan|nasza klinika|lekarz|lekarka|dermatolog|kolezanka|doktor|kosmetolog, kosmetolozka, kliniki, "
            "klinika, znajomy, sasiadka, producent, reklama, ulotka, doktor"
        ),
        "doubt": "nie wierze|widzialem|widzialam, watpie, sceptycz*, nie jestem pewn*, nie ufam, danych nie",
        "mock": "jasne, no jasne, taa, akurat, yhy, na pewno",
        "own": "moj|moja|moje|mi|mnie|ja|corka|mama|tata|maz|siostra|moich|moim|mojej",
        "we": "nasz|nasze|nasza|zapraszamy|zapisy|rezerwacja|promocja",
    },
    "ar": {
        "not": "لا, ليس, ليست, غير, لم, لن, ما, مو, مش, بدون, ابدا, بلا, مفيش, مافي",
        "unproven": (
            "لا يوجد, لا توجد, كذب, كذبه, خرافه, خرافات, غير مثبت, نصب, ليس صحيح, مو صحيح, مش صحيح, غير صحيح, لم يثبت, مفيش دليل"
        ),
        "false": "لا, كذب, غير صحيح, مو صحيح, خرافه",
        "ask": "هل, مين, كم, ايش, وش",
        "whether": "هل, ولا لا, صحيح ان, فعلا, يا ترى",
        "says": "قال, قالت, يقول, تقول, بيقول, حسب, اكد, اكدت",
        "alleges": "يزعم*, يقولون, يدعون, بيدعوا",
        "source": "الدكتور*, دكتور*, طبيب*, الطبيبه, العياده, صديقت*, اختي, المركز, خالتي, اعلان, الوزاره, وزاره",
        "doubt": "الله اعلم, ما حطوا, ما شفت, مقتنع*, اشك, متاكد*, مصدر",
        "mock": "اكيد, استحوا, ههههه*, طبعا",
        "own": "انا, عندي, وجهي, شعري, وشي, اختي, خالتي, امي, ابوي, زوجي, بنتي, جربت, عملت, رحت, حقنت",
        "we": "احجز*, للحجز, عندنا, مركزنا, عيادتنا, نستخدم, واتساب, الحجز, متوفر",
    },
}


def stance_cues() -> dict[str, tuple[tuple[Item, ...], ...]]:
    """The cues by name, parsed; those of a language other than English as `es:not` and the like."""
    cues = {name: _phrases(texts) for name, texts in ENGLISH.items()}
    for language, names in _OTHERS.items():
        cues |= {f"{language}:{name}": _phrases(texts) for name, texts in names.items()}
    return cues


def _phrases(texts: str) -> tuple[tuple[Item, ...], ...]:
    return tuple(parse_phrase(text) for text in texts.split(",") if text.strip())
