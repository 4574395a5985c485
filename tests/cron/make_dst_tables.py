#!/usr/bin/env python3
"""Writes dst_tables.txt: when cron expressions are due around changes of the clock.

An implementation of its own, to hold against lib/cron: it knows the zones from Python's zoneinfo,
and walks every minute of real time (or every minute of wall time), slowly and plainly. It reads
plain fields only: "*", numbers, ranges, lists, steps.

    python3 make_dst_tables.py > dst_tables.txt
"""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

# Changes of the past, which no later edition of the zone database will move.
CHANGES = {
    "America/New_York": [(2024, 3, 10), (2024, 11, 3), (2007, 3, 11), (2006, 10, 29)],
    "Europe/Madrid": [(2025, 3, 30), (2025, 10, 26)],
    "Australia/Lord_Howe": [(2023, 10, 1), (2024, 4, 7)],  # half an hour
    "Pacific/Apia": [(2011, 12, 30), (2010, 9, 26), (2011, 4, 2), (2012, 4, 1), (2020, 9, 27)],
    "America/Havana": [(2024, 3, 10), (2024, 11, 3)],  # midnight does not exist
    "Asia/Kolkata": [(2024, 3, 10)],  # no change at all
}

EXPRESSIONS = [
    "0 0 * * *",
    "30 0 * * *",
    "30 1 * * *",
    "15 2 * * *",
    "15,30,45 2 * * *",
    "0 3 * * *",
    "0 1-3 * * *",
    "59 1,2,3 * * *",
    "0-59 2 * * *",
    "0 12 * * *",
    "45 1 * * SUN",
    "10 2 1-31 * *",
    "20 2 * 3,4,9,10,11,12 FRI,SAT,SUN",
    "*/20 * * * *",
    "25 * * * *",
    "*/30 2 * * *",
    "0 */2 * * *",
    "10 0-4/1 * * *",
    "45 1-2 * * *",
]

NAMES = {
    n: i for i, n in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"])
}


def values(field, low, high):
    """The set of numbers that a field names."""
    found = set()
    for item in field.split(","):
        body, _, step = item.partition("/")
        if body == "*":
            first, last = low, high
        else:
            first, _, last = body.partition("-")
            first = NAMES[first] if first in NAMES else int(first)
            last = NAMES[last] if last in NAMES else int(last) if last else first
            if step and "-" not in body:
                last = high
        found |= set(range(first, last + 1, int(step or 1)))
    return found


class Expression:
    def __init__(self, text):
        minute, hour, day, month, weekday = text.split()
        self.minutes = values(minute, 0, 59)
        self.hours = values(hour, 0, 23)
        self.days = values(day, 1, 31)
        self.months = values(month, 1, 12)
        self.weekdays = values(weekday, 0, 6)
        self.any_day = day == "*"
        self.any_weekday = weekday == "*"
        self.repeats = any(c in minute + hour for c in "*/")

    def matches(self, wall):
        if wall.minute not in self.minutes or wall.hour not in self.hours:
            return False
        if wall.month not in self.months:
            return False
        by_day = wall.day in self.days
        by_weekday = wall.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday


MINUTE = timedelta(minutes=1)


def wall_time(instant, zone):
    return instant.astimezone(zone).replace(tzinfo=None)


def by_real_time(expression, zone, begin, end):
    """Each minute of real time whose wall clock matches: gaps are skipped, repeats run twice."""
    due = []
    instant = begin + MINUTE
    while instant <= end:
        if expression.matches(wall_time(instant, zone)):
            due.append(instant)
        instant += MINUTE
    return due


def instant_of(wall, zone):
    """The first instant of a wall time; where it does not exist, the first one after the gap."""
    first_pass = wall.replace(tzinfo=zone, fold=0).astimezone(timezone.utc)
    if wall_time(first_pass, zone) == wall:
        return first_pass
    # In a gap zoneinfo's fold=0 is read with the offset of before, so it lies at or after the gap:
    # go back, minute by minute, to where the wall clock jumped.
    instant = first_pass
    while wall_time(instant - MINUTE, zone) > wall:
        instant -= MINUTE
    return instant


def by_wall_time(expression, zone, begin, end):
    """Each minute of wall time, existing or not, at its first instant; equal instants are one."""
    due = set()
    wall = wall_time(begin, zone) - timedelta(days=2)
    last = wall_time(end, zone) + timedelta(days=2)
    while wall <= last:
        if expression.matches(wall):
            instant = instant_of(wall, zone)
            if begin < instant <= end:
                due.add(instant)
        wall += MINUTE
    return sorted(due)


HEADER = """\
# Made by make_dst_tables.py: all due instants of an expression after `begin` and through 48 hours
# later, as minutes since `begin`.
# zone|expression|policy|begin in epoch seconds|minutes
"""


def main():
    print(HEADER, end="")
    for name, days in CHANGES.items():
        zone = ZoneInfo(name)
        for day in days:
            begin = datetime(*day, tzinfo=timezone.utc) - timedelta(hours=18)
            end = begin + timedelta(hours=48)
            for text in EXPRESSIONS:
                expression = Expression(text)
                for policy in ("vixie", "skip"):
                    real = policy == "skip" or expression.repeats
                    walk = by_real_time if real else by_wall_time
                    due = walk(expression, zone, begin, end)
                    minutes = " ".join(str((t - begin) // MINUTE) for t in due)
                    print(f"{name}|{text}|{policy}|{int(begin.timestamp())}|{minutes}")


if __name__ == "__main__":
    main()
