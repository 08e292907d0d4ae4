"""Words around a product's name: units of measure, numbers, and what says nothing about the goods."""

from decimal import Decimal

from wabot.modules.catalog.spelling import normal, words

_UNITS = {
    "bag": "bag katta katte bori boriyan बैग बोरी बोरियाँ बोरा बोरे कट्टा कट्टे",
    "piece": "piece pc pcs nos nag unit पीस नग अदद",
    "ton": "ton tonne mt टन",
    "quintal": "quintal qtl क्विंटल कुंतल",
    "kg": "kg kgs kilo kilogram किलो किग्रा",
    "litre": "litre liter ltr ltrs लीटर",
    "metre": "metre meter mtr mtrs मीटर",
    "foot": "foot feet ft फुट फीट",
    "cft": "cft",
    "brass": "brass ब्रास",
    "truck": "truck load ट्रक",
    "trolley": "trolley trolly ट्रॉली",
    "box": "box boxes peti dibba dibbe पेटी डिब्बा डिब्बे बॉक्स",
    "bundle": "bundle बंडल",
    "roll": "roll रोल",
    "coil": "coil कॉइल",
    "sheet": "sheet शीट चादर",
    "rod": "rod bar छड़ छड़ें सरिया",
    "pipe": "pipe पाइप",
    "bucket": "bucket balti बाल्टी",
    "tin": "tin can डब्बा",
    "packet": "packet pack pkt pkts पैकेट",
    "set": "set सेट",
    "pair": "pair जोड़ी",
    "dozen": "dozen दर्जन",
}
UNITS = {words([normal(word)])[0]: unit for unit, written in _UNITS.items() for word in written.split()}
"""Each word for a unit, in normal spelling and singular, and the unit's own name."""

_NUMBERS = (
    "one ek एक", "two दो do", "three teen तीन", "four char चार", "five paanch panch पाँच पांच", "six छह छः",
    "seven saat सात", "eight aath आठ", "nine nau नौ", "ten das दस", "eleven gyarah ग्यारह",
    "twelve barah बारह",
)  # fmt: skip
NUMBERS = {
    **{normal(word): Decimal(at) for at, written in enumerate(_NUMBERS, 1) for word in written.split()},
    **{normal(word): Decimal(hundreds) for word, hundreds in (("hundred", 100), ("sau", 100), ("सौ", 100))},
    **{normal(word): Decimal("0.5") for word in ("half", "aadha", "आधा", "आधी")},
}
"""Numbers in words. `do` also means "give", so a number in words counts before a unit only."""

_FILLERS = """
    ok okay hi hii hello hey namaste namaskar नमस्ते नमस्कार dear sir madam bhai bhaiya ji भाई भैया जी good
    morning afternoon evening i we you want need require needed required would like to please pls plz kindly
    send give get me us my order buy add for some also more can deliver book thank thanks mujhe hame hamein
    मुझे हमें chahiye chaiye चाहिए चाहिये dena de do dedo bhejo bhej bhejna देना दे दो दीजिए दीजिये दीजियेगा भेजो
    भेजना भेज भेजिए भेजिये karo kar करो कर aur bhi और भी mein में
"""
FILLERS = frozenset(map(normal, _FILLERS.split()))
"""Words that ask, greet or thank. A message of nothing else asks for no product."""


def unit_of(word: str) -> str:
    """The unit that a word means, or the empty string: `bags` is `bag`, `बोरी` is `bag`."""
    return UNITS.get(words([normal(word)])[0], "") if words([normal(word)]) else ""
