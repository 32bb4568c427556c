"""The stance cues of English; `tongues` says what each name means."""

from __future__ import annotations

ENGLISH: dict[str, str] = {
    "not": (
        "not, never, nor, neither, cannot, nobody, none, nothing is|has|in|about|regenerates|of, nowhere, nah, nope, aint, "
        "zilch, hardly, barely, no, "
        "don|doesn|didn|isn|aren|wasn|weren|won|wouldn|can|couldn|hasn|haven|hadn|shouldn|ain t, "
        "dont|doesnt|didnt|isnt|arent|wasnt|wont, wouldnt|cant|couldnt|hasnt|havent|shouldnt, no one, nil, unchanged, "
        "failed to, fails to, lack|lacks|lacking|lacked, awaits, pending, still waiting, far from, rather than, zero, "
        "stop saying|calling|telling, unlikely to, refuses to, yet to, zip, did nothing, did zip|jack, do nothing, "
        "does nothing"
    ),
    "unproven": (
        "i|we doubt, is guessing, a long way from, does not qualify, can t find, came out level, "
        "the opposite, did not substantiate, complaint upheld, no such clearance, none of, nothing .. approved, "
        "nothing in it, hold no, no record, mixed .. up, mixes, "
        "no|little|zero evidence|proof|data|basis, no .. evidence|proof|trial|trials|study|studies, unproven, unsupported, "
        "baseless, "
        "nobody|no one has|s|have .. shown|proved|proven|tested|measured|checked|demonstrated|seen|watched|ruled, "
        "not|n .. proven|established|demonstrated, "
        "hasn|haven|isn|aren|wasn|weren t .. proven|shown|established|demonstrated|true, "
        "not been .. shown|proven|established|studied, never been .. shown|proven|demonstrated|tested, "
        "never demonstrated|shown|proven, has|have yet to, without .. evidence|proof, "
        "lack|lacks|lacking|lacked .. evidence|proof|data, "
        "evidence|proof|data .. lacking|thin|weak|missing|poor|uncertain, untrue, is|s|are|it false, false that, bogus, "
        "nonsense, rubbish, bollocks, bullshit, baloney, myth, myths, lies, misleading, debunk*, hoax, scam, "
        "is|s|are wrong, made up, meaningless, not a shred|scrap, shred of, rests on nothing, "
        "anyone telling|selling|who .. is|has lying|mixed|guessing|wrong, not true, not the case, isn t the case, "
        "should not say|claim, no such, doesn t follow|mean, not mean, not how, clickbait, fake news, snake oil, "
        "let s see, red flag, says nothing, tells you nothing, say one word, not the same, empty, "
        "don t believe|fall, don t buy it|the, is a lie, not .. evidence, proves nothing, doesn t|not prove, not a result, "
        "i d not call, remains unproven, unequal, overstated, overhyped, not backed, can t be true, is hype, "
        "is just marketing, no good evidence, no decent .. trial, nothing shows, "
        "nothing .. supports|regenerates"
    ),
    "false": (
        "false, nope, no, nah, wrong, not true, nonsense, rubbish, untrue, "
        "they|it|that|she|he didn|doesn|isn|aren|wasn|don|weren|hasn|haven|did|do t|not, it s|is not, they re|are not, "
        "bullshit, lies, myth, none, nothing is, it never happened, it isnt|aint|doesnt, they arent|dont, unproven, "
        "not in people, not shown, not demonstrated, not even close, never, nor mine, still waiting, no data, it has not, "
        "has not, no cells, it did|does nothing, didn t, not here"
    ),
    "yes": (
        "yes, yep, yup, correct, absolutely, of course, true, certainly, indeed, exactly, seriously, sorted, "
        "we believe they|it, you bet, sure do|is"
    ),
    "ask": (
        "is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|isn|aren|doesn|don|may|might|am, "
        "anyone|anybody|someone|somebody, who|what|why|how|which|when|where, "
        "wait|so|ok|and|but|or|hey|honest is|are|do|does|can|did|has|will, any truth|idea|chance|evidence|proof, "
        "is it|this|that true|tru|legit|right, sanity check, question, thoughts, serious question, genuine question"
    ),
    "whether": (
        "whether, if it s|is true|right|correct|kosher|safe|legal, is it true|tru|legit|correct, true or|that, "
        "wonder|wondering|wonders if|whether, i m wondering, im wondering, does anyone know, tell me if|whether, "
        "how true, any truth, "
        "is there .. truth, if .. really|actually|genuinely|truly|honestly, asking if, asked if|whether"
    ),
    "says": (
        "says|said|say|saying|sez, tells|told|telling, swears|swear|swore|swares|swars, insists|insisted, "
        "promises|promised|promise, reckons|reckon, assures|assured, mentions|mentioned, states|stated, "
        "announces|announced, reports|reported|reportedly, writes|wrote, explained|explains, considers, convinced, goes, "
        "according to, calls it|them, is|are|was said to, touts|touted, credits, quoted, believes, passing it on, "
        "describes|described, per my, likens, suggests|suggested, confirmed|confirms, preaches, raves|raved, recommended, "
        "advised, replied, put it, hears, messaged, claims|claimed|claim|claiming, alleges, argues, maintains, beamed, "
        "sais, tell, reads, read, explained, boasts, called, calls, marketed as, ran, likes to say"
    ),
    "alleges": (
        "claims|claimed|claim|claiming|claimed, alleged*|alleges|allege, purport*, supposed|supposedly|supposed to, "
        "pitch|pitched, boast|boasts, promoters, sellers .. say|speak|claim|call, so called, is|are billed, haters say, "
        "sold it|them|me as, keep|kept|keeps|being told|saying|hearing|repeating, i keep hearing|seeing, "
        "trying to tell|sell, apparently, would have you, people say, they say, one side says, some say, rumour|rumor, "
        "advert*  says|promises, i was|we were told|promised, had told me, they d told me, sworn"
    ),
    "source": (
        "derm|dermatologist|doctor|doc|dr|surgeon|nurse|facialist|aesthetician|esthetician|injector|physio|pharmacist|"
        "consultant|practitioner|barber|hairdresser|therapist|vet|specialist|professor|rep|salesman|saleswoman|"
        "receptionist|trainer|coach|clinician|trichologist|aestheticians, "
        "friend|mate|sister|brother|mum|mom|mother|aunt|uncle|cousin|neighbour|neighbor|colleague|flatmate|dad|father|"
        "husband|wife|gran|nan|grandma|coworker|boss|bestie|landlady|teacher|niece|nephew|squad|pal|unnie|fil|mil|lad|"
        "buddy, "
        "clinics|clinic|spa|medspa|salon|brand|company|maker|seller|sellers|influencer|influencers|tiktok|reel|youtuber|"
        "advert|ad|poster|leaflet|brochure|flyer|pamphlet|box|label|page|website|site|sticker|billboard|forum|newspaper|"
        "article|researchers|scientists|study|promoters|reps|ministry|agency, "
        "guy|lady|dude|girl|man|woman|people|everyone|they|he|she|someone|somebody|nurses|doctors|surgeons|dermatologists|"
        "them|minister|spokesman|spokeswoman|director|officials|vets|owner|founder|reporter|actor|actress|podcast|"
        "promoter|vendor|distributor|form|menu|chat|urologists|ethicists|who, "
        "assistant|chiropractor|chiro|esthi|head|attending|executive|franchise|docter|esthetican|demo|bottle|listing|lid|stage|board|beautician|"
        "manufacturer|screenshot|headline|sauna|place|hospital|society|president|bloke|fella|team|lads|mums|girls|friends|"
        "creator|host|captain|player|champion|celebrity|model"
    ),
    "doubt": (
        "disagreed, declined, crickets, fantasy, never heard, also swears|says, did not|didn t buy|supply|answer|believe, "
        "who can say, i smiled, eyebrows left, make of that what, second hand, "
        "i have|ve seen no, no data|evidence|proof|study|studies|source|citation|paperwork, "
        "not sure|convinced|persuaded|buying, sceptical, skeptical, unconvinced, suspicious, dubious, doubtful, i doubt, "
        "couldn|wouldn|didn t find|show|name|produce|answer|say|verify|explain|send, colour|color me, hmm, meh, "
        "sounds made up|like, too good to, citation needed, what do you|we make, am i being, "
        "is that|this|it true|right|legit, does any of that, any truth, says the man|woman|person, pinch|grain of salt, "
        "my eyebrow|eyebrows, i ll believe, we ll see, no idea if|whether, haven t seen|found, filing that, "
        "rolled my eyes, unverified, if true, jury is out, where s the, i laughed, lol, lmao, red flags, hard sell, "
        "based on what, i d like|love to see, show me, yeah right, though no, although no, but no, walked out, smh, "
        "no one has, nobody has, unproven, i asked .. and, half of what, out of date, is he|she|it right, "
        "anyone else, make of that, who checks, made up, snake oil, scam, i walked, not holding my, says who, sure jan, "
        "neurologists, specialists, dermatologists not, independent, experts, critics, nothing|none .. supports|backs"
    ),
    "mock": (
        "you say, so to recap, i suppose, "
        ""
        "yeah|ya right|sure, sure jan, oh|ah brilliant|great|wow|sure|good|lovely|yes, my foot|arse|ass|eye, as if, "
        "and my toaster|cat|dog|driving, and pigs, and i m the|a queen|astronaut|beyonce, trust me bro, love that for, "
        "in your dreams, said no one, must be magic|true, because magic, obviously .. peer|science, what can t, "
        "next they|it ll|you, congrat*, yes yes, pull the other, the other one, delulu, "
        "give me a break, tell that to, spare me, who in their right, cool story, ok doc|jan, sweet summer, magic beans, "
        "unicorn*, toaster, elves, fairy, wizard, have you covered, tooth fairy, and santa, does my taxes, i assume, "
        "local woman, doing the rounds, totally believable, "
    ),
    "own": (
        "i, my, me, mine, myself, im, ive, "
        "mum|mom|dad|grandpa|grandma|hubby|husband|wife|sister|brother|son|daughter|aunt|uncle|gran|nan|cousin, "
        "her|his|their skin|hair|face|knee|knees|pain, "
        "our dog|cat|son|daughter|collie|greyhound|spaniel|boy|girl|mare|horse"
    ),
    "we": (
        "we, our, ours, us, book, booking, bookings, dm us|me, link in bio, order now, buy now, shop now, enquire, slots, "
        "whatsapp, sale, offer, free consultation, at our, your consultation, available now|at|from, code, "
        "your skin|hair|face|body|pain|joints|scalp|cells|glow"
    ),
}
