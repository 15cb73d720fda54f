"""What sending a parcel costs. Runs inside the sandbox: standard library only."""

import csv
from decimal import ROUND_UP, Decimal
from pathlib import Path

from bailiwick import tool

RATES = Path("/work/data/shipping/rates.csv")


@tool
def shipping_quote(country: str, weight_kg: Decimal) -> dict:
    """What it costs to send a parcel, and how many days it takes.

    Args:
        country: The country's English name.
        weight_kg: The parcel's weight in kilograms.
    """
    with RATES.open(newline="") as file:
        rates = {row["country"].lower(): row for row in csv.DictReader(file)}
    rate = rates.get(country.lower())
    if rate is None:
        raise LookupError(f"we do not send to {country}")
    steps = (weight_kg / Decimal(rate["step_kg"])).to_integral_value(ROUND_UP)
    price = Decimal(rate["base"]) + steps * Decimal(rate["per_step"])
    return {"country": rate["country"], "weight_kg": float(weight_kg), "price": float(price), "days": rate["days"]}
