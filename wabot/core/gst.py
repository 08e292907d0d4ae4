"""India's goods and services tax: which parts a rate has, by where the goods are supplied."""

from decimal import Decimal

from wabot.core.tax import Split

STATES = {
    "01": "Jammu and Kashmir", "02": "Himachal Pradesh", "03": "Punjab", "04": "Chandigarh",
    "05": "Uttarakhand", "06": "Haryana", "07": "Delhi", "08": "Rajasthan", "09": "Uttar Pradesh",
    "10": "Bihar", "11": "Sikkim", "12": "Arunachal Pradesh", "13": "Nagaland", "14": "Manipur",
    "15": "Mizoram", "16": "Tripura", "17": "Meghalaya", "18": "Assam", "19": "West Bengal",
    "20": "Jharkhand", "21": "Odisha", "22": "Chhattisgarh", "23": "Madhya Pradesh", "24": "Gujarat",
    "26": "Dadra and Nagar Haveli and Daman and Diu", "27": "Maharashtra", "29": "Karnataka", "30": "Goa",
    "31": "Lakshadweep", "32": "Kerala", "33": "Tamil Nadu", "34": "Puducherry",
    "35": "Andaman and Nicobar Islands", "36": "Telangana", "37": "Andhra Pradesh", "38": "Ladakh",
    "97": "Other Territory",
}  # fmt: skip
"""The codes that a GSTIN begins with."""

WITHOUT_LEGISLATURE = frozenset({"04", "26", "31", "35", "38", "97"})
"""There the second half is the union territory's (UTGST Act, 2017, section 2)."""


def gst(business_state: str, place_of_supply: str) -> Split:
    """CGST and SGST (or UTGST) in halves within a state, IGST between states.

    Both are two-digit codes of `STATES`; raises ValueError for another.
    """
    for code in (business_state, place_of_supply):
        if code not in STATES:
            raise ValueError(f'"{code}" is not the GST code of a state: Maharashtra is "27"')
    if business_state != place_of_supply:
        return lambda rate: (("IGST", rate),)
    local = "UTGST" if business_state in WITHOUT_LEGISLATURE else "SGST"
    return lambda rate: (("CGST", rate / Decimal(2)), (local, rate / Decimal(2)))
