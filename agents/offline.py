"""The support desk without a model: plain rules, which say that they are rules.

    an attachment          → read it
    "refund 20 for ORD-…"  → look the order up, then ask for the refund
    an order number        → look it up
    "my orders"            → list them
    a calculation          → run it as code
    "ship 2 kg to …"       → quote it
    "a person, please"     → open a ticket
    anything else          → the sentences of our own documents that fit best, with citations

The rules read everything before them as if the customer had said it, attachments too. That is naive on purpose: a real
model can be talked into things by a document, and what must hold then is the policy, not the good sense of the model.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from bailiwick import FunctionModel

ORDER = re.compile(r"\bORD-\d{6}\b")
REFUND = re.compile(r"\brefund\w*|\bmoney back\b", re.I)
AMOUNT = re.compile(r"(\d+(?:[.,]\d{1,2})?)\s*(?:€|euros?\b|EUR\b)|(?:€|EUR)\s*(\d+(?:[.,]\d{1,2})?)", re.I)
ATTACHED = re.compile(r"\[attached: ([^\]]+)\]")
CUSTOMER = re.compile(r"\bC-\d{4}\b")
MY_ORDERS = re.compile(r"\b(?:my|all|the) orders\b|\borders of\b", re.I)
SUM = re.compile(r"(?<![\w-])\(?\d[\d.,]*(?:\s*%\s*of\s*|\s*[-+*/x×]\s*)[\d(][\d.,()\s+*/x×%-]*", re.I)
SHIP = re.compile(r"\b(?:ship|send|post|parcel)\w*\b", re.I)
WEIGHT = re.compile(r"(\d+(?:[.,]\d+)?)\s*kg\b", re.I)
COUNTRY = re.compile(r"\bto (?:the )?((?:[A-Z][a-z]+)(?: [A-Z][a-z]+)*)")
PERSON = re.compile(r"\b(?:human|a person|real person|complain\w*|ticket|colleague|someone call)\b", re.I)
PASSAGE = re.compile(r"^\[(\d+)\] [^\n]*\n(.*?)(?=\n\n\[\d+\] |\Z)", re.M | re.S)
SPEAKER = re.compile(r"You are speaking with (\S+)\.")
WORD = re.compile(r"[a-z]{3,}|\d+")
COMMON = frozenset(
    WORD.findall(
        "the and you your for with that this are can what how does have was will from our any not but long many much"
        " would there about please hello get when where which who its has had them they"
    )
)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What the rules go by: what was said in this turn, who says it, what the calls so far gave, what we know."""

    asked: str
    speaker: str
    done: dict[str, ToolMessage]
    """By tool and arguments, see ``key``."""
    read: str
    """The text of the attachments that were read."""
    passages: list[tuple[int, str]]


def answer(messages: Sequence[BaseMessage], tools: Sequence[dict]) -> AIMessage:
    turn = understand(messages)
    offered = {tool["name"] for tool in tools}
    for name, args in wanted(turn):
        if name in offered and key(name, args) not in turn.done:
            call = {"name": name, "args": args, "id": f"{name}-{len(messages)}", "type": "tool_call"}
            return AIMessage("", tool_calls=[call])
    return AIMessage(compose(turn))


def understand(messages: Sequence[BaseMessage]) -> Turn:
    system = messages[0].text
    start = max(at for at, message in enumerate(messages) if message.type == "human")
    calls = {call["id"]: call for message in messages[start:] for call in getattr(message, "tool_calls", ())}
    done: dict[str, ToolMessage] = {}
    for message in messages[start:]:
        if isinstance(message, ToolMessage) and (call := calls.get(message.tool_call_id)):
            done[key(call["name"], call["args"])] = message
    read = "\n".join(reply.text for reply in done.values() if reply.name == "read_attachment" and ok(reply))
    speaker = SPEAKER.search(system)
    return Turn(
        asked=messages[start].text,
        speaker=speaker[1] if speaker else "",
        done=done,
        read=read,
        passages=[(int(number), text) for number, text in PASSAGE.findall(system)],
    )


def wanted(turn: Turn) -> list[tuple[str, dict]]:
    """The calls that the rules want, in order. A refund is wanted once its order was looked up."""
    calls: list[tuple[str, dict]] = [("read_attachment", {"name": name}) for name in ATTACHED.findall(turn.asked)]
    for text in filter(None, (turn.asked, turn.read)):
        orders = list(dict.fromkeys(ORDER.findall(text)))
        looked_up = [("lookup_order", {"order_id": order, "customer_id": turn.speaker}) for order in orders]
        if text is turn.asked or REFUND.search(text):
            calls += looked_up
        amount = AMOUNT.search(text)
        if orders and amount and REFUND.search(text):
            found = turn.done.get(key(*looked_up[0]))
            if found is not None and ok(found):
                value = float((amount[1] or amount[2]).replace(",", "."))
                why = "asked for by the customer" if text is turn.asked else "asked for in an attachment"
                calls.append(("refund_order", {"order_id": orders[0], "amount": value, "reason": why}))
    if MY_ORDERS.search(turn.asked) and not ORDER.search(turn.asked):
        other = CUSTOMER.search(turn.asked)
        calls.append(("find_orders", {"customer_id": other[0] if other else turn.speaker}))
    if expression := SUM.search(ORDER.sub("", turn.asked)):
        calls.append(("run_python", {"code": as_code(expression[0])}))
    weight, country = WEIGHT.search(turn.asked), COUNTRY.search(turn.asked)
    if SHIP.search(turn.asked) and weight and country:
        calls.append(("shipping_quote", {"country": country[1], "weight_kg": float(weight[1].replace(",", "."))}))
    if PERSON.search(turn.asked):
        subject = turn.asked.strip().splitlines()[0][:80]
        calls.append(("open_ticket", {"subject": subject, "text": turn.asked[:4000], "customer_id": turn.speaker}))
    return calls


def compose(turn: Turn) -> str:
    said = [sentence for message in turn.done.values() if (sentence := report(message))]
    known = best_sentences(turn, at_most=1 if said else 3)
    if not said and not known:
        return "I do not know that, and nothing in our documents tells me. Shall I hand it to a colleague?"
    return " ".join([*said, *known])


def report(message: ToolMessage) -> str:
    """What a call gave, in a sentence for the customer."""
    if not ok(message):
        return failure(message)
    result = json.loads(message.text) if message.text[:1] in "{[" else {}
    match message.name:
        case "lookup_order":
            items = ", ".join(f"{item['quantity']} × {item['product']}" for item in result["items"])
            way = f", with {result['carrier']} ({result['tracking']})" if result["tracking"] else ""
            return f"Order {result['order_id']} ({items}; {result['total']:.2f} euro) is {result['status']}{way}."
        case "find_orders":
            listed = "; ".join(f"{row['order_id']} of {row['placed_on']}, {row['status']}" for row in result)
            return f"Your orders: {listed}." if result else "There are no orders yet."
        case "refund_order":
            return f"{result['refunded']:.2f} euro of {result['order_id']} are on their way back to you."
        case "open_ticket":
            return f"I opened ticket {result['ticket']}; a colleague will write to you."
        case "run_python":
            return f"That comes to {result['value'] or result['printed'].strip()}."
        case "shipping_quote":
            return f"Sending {result['weight_kg']:g} kg to {result['country']} costs {result['price']:.2f} euro."
        case "read_attachment":
            return "I read what you attached."
        case _:
            return ""


def failure(message: ToolMessage) -> str:
    what = {
        "lookup_order": "find that order among yours",
        "find_orders": "list those orders",
        "refund_order": "make that refund",
        "read_attachment": "read that attachment",
        "shipping_quote": "work out that price",
        "run_python": "work that out",
        "open_ticket": "open a ticket",
    }.get(message.name or "", "do that")
    if message.text.startswith("Not allowed"):
        return f"I am not allowed to {what}."
    if message.text.startswith("This needs a person's approval"):
        return f"I asked, and may not {what}."
    return f"I could not {what} just now."


def best_sentences(turn: Turn, *, at_most: int) -> list[str]:
    """The sentences of the passages that share most of the question's words, each with its citation."""
    asked = ATTACHED.sub("", turn.asked).lower()
    stems = {word[:4] for word in set(WORD.findall(asked)) - COMMON}
    scored: list[tuple[float, int, str]] = []
    for number, text in turn.passages:
        for sentence in re.split(r"(?<=[.!?])\s+|\n+", text):
            own = {word[:4] for word in set(WORD.findall(sentence.lower())) - COMMON}
            shared = len(stems & own)
            if shared and not sentence.lstrip().startswith("#") and len(sentence) > 20:
                # Prose reads better than a row of a table, and an earlier passage fits better.
                score = shared - 1.3 * ("|" in sentence or sentence.count(";") > 2) + 1 / (1 + number)
                scored.append((score, number, sentence.strip(" -*|")))
    # One word in common is a coincidence where a tool has answered already.
    scored = [entry for entry in scored if entry[0] >= (1 if at_most > 1 else 2)]
    # The best ones, told in the order of the passages they come from.
    best = sorted(sorted(scored, key=lambda entry: -entry[0])[:at_most], key=lambda entry: entry[1])
    return [f"{sentence} [{number}]" for _, number, sentence in best]


def as_code(expression: str) -> str:
    code = re.sub(r"[x×]", "*", expression, flags=re.I)
    code = re.sub(r"(\d[\d.,]*)\s*%\s*of\s*", r"\1 / 100 * ", code, flags=re.I)
    code = re.sub(r"(\d),(\d{1,2})(?!\d)", r"\1.\2", code).strip().rstrip(".,+-*/ ")
    code += ")" * (code.count("(") - code.count(")"))
    return f"round({code}, 2)"


def key(name: str, args: dict) -> str:
    return f"{name}:{json.dumps(args, sort_keys=True)}"


def ok(message: ToolMessage) -> bool:
    return message.status == "success"


model = FunctionModel(
    function=answer,
    model_name="offline-rules",
    notice="Answered by simple offline rules, since no model is configured (BAILIWICK_MODEL).",
)
