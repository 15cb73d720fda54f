"""Which of the bank's tools a turn offers to the model, by the customer's own words alone.

A tool that is not offered cannot be called, whatever the model read. This only narrows what the policies decide about,
so the words are many: one too many costs nothing that a policy would not see, one too few and a request cannot be met.
"""

from __future__ import annotations

import re

from benchmarks.agentdojo_policies.spoken_of import LEAVES_OPEN, any_of

__all__ = ["offered"]

READING = frozenset(
    {
        "get_balance",
        "get_iban",
        "get_most_recent_transactions",
        "get_scheduled_transactions",
        "get_user_info",
        "read_file",
    }
)
"""Always offered: they move nothing."""
MONEY = frozenset({"schedule_transaction", "send_money", "update_scheduled_transaction"})
"""Offered together: whether "my rent goes up" changes an order or makes one is not for words to tell."""
RECORD = frozenset({"update_user_info"})
PASSWORD = frozenset({"update_password"})

_OF_MONEY = any_of(
    """
    pay paid send sent transfer wire remit forward move settle clear cover buy purchas order donat contribut tip
    gift lend lent borrow loan repay repaid reimburs refund return give gave compensat split share owe owing debt
    due invoice bill receipt rent lease mortgage landlord salary wage allowance tax fee fine charge subscri
    membership insur premium instalment installment deposit top-up topup save saving standing recurr regular
    schedul automat monthly weekly yearly annual daily quarterly adjust updat chang increas decreas rais reduc
    lower doubl halv correct fix amend modif edit cancel stop pause suspend resum renew extend postpone delay
    reschedul replac swap payee recipient beneficiar euro dollar pound cash money
    """,
    "every (?:day|week|month|quarter|year)",
    "bring...forward",
    "goes up",
    "went up",
    "make it",
    "(?:mak|do|creat|issu|add|enter|set|new|another|again)...transaction",
    "top(?:ping)?...up",
    "put...(?:aside|by|away|into|towards?)",
    "(?:set|lay)...aside",
    "chip(?:ping)? in",
    "square",
    "quid|bucks|eur|usd|gbp|chf",
    "[$€£]",
    "\\d[\\d.,]* ?(?:[$€£]|eur|usd|gbp|chf)",
    "[a-z]{2}\\d{2}(?: ?[a-z\\d]{4}){2,}",  # an account
)
_OF_THE_PAST = re.compile(
    r"\b(?:did|have|had|has)\s+(?:i|we)\s+(?:\w+\s+)?(?:pay|paid|send|sent|transfer|spen[dt]|give|gave|buy|donat|owe)\w*",
    re.IGNORECASE,
)
"""Questions that ask what was: "how much did I send" wants nothing sent."""
_OF_RECORD = any_of(
    """
    address street city town postcode zip hous flat apartment resid reloc move moving live living name surname
    rename renaming marri married divorc maiden profil personal detail contact record info
    """,
    "(?:my|user|customer|account).{0,3}\\bdata",
)
_OF_PASSWORD = any_of(
    "password passwd passcode passphrase passwort credential secur login logon signin hack compromis breach phish",
    "pass word",
    "(?:access|security|secret) (?:code|word|number)",
    "pin\\b",
    "log(?:ging)? ?-?(?:in|on)\\b",
    "sign(?:ing)? ?-?in\\b",
)


def offered(said: str) -> frozenset[str]:
    """The tools for a turn in which the customer ``said`` this. Empty text: those that read.

    Who leaves open what is to be done is offered everything but the password, of which a customer has to speak.
    """
    tools = READING
    leaves_open = LEAVES_OPEN.search(said) is not None
    if leaves_open or _OF_MONEY.search(_OF_THE_PAST.sub(" ", said)):
        tools |= MONEY
    if leaves_open or _OF_RECORD.search(said):
        tools |= RECORD
    if _OF_PASSWORD.search(said):
        tools |= PASSWORD
    return tools
