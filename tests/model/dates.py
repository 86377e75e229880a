"""Civil dates, age cutoffs and tables keyed by birth date (specs/proofs, specs/proofs and specs/vectors/vouchsafe-1)."""

import calendar
from datetime import date, timedelta
from functools import cached_property

#: specs/vectors/vouchsafe-1: day(1600-01-01) = 0, proleptic Gregorian.
EPOCH = date(1600, 1, 1)


class BadTable(ValueError):
    """A table that must not load."""


def parse(text):
    """The one accepted form, YYYY-MM-DD."""
    if not isinstance(text, str) or len(text) != 10 or text[4] != "-" or text[7] != "-" or not (text[:4] + text[5:7] + text[8:]).isdigit():
        raise ValueError("dates are written YYYY-MM-DD")
    return date(int(text[:4]), int(text[5:7]), int(text[8:]))


def day(when):
    number = (when - EPOCH).days
    if number < 0:
        raise ValueError("dates before 1600-01-01 have no encoding")
    return number


def date_of(number):
    return EPOCH + timedelta(days=number)


def last_of_month(year, month):
    return calendar.monthrange(year, month)[1]


def _shift(when, months):
    """Year and month moved, and the day number that may not exist there."""
    total = when.year * 12 + when.month - 1 + months
    return total // 12, total % 12 + 1, when.day


def clamp(when, months):
    """T moved by whole months (negative: back), or the last day of the month reached (specs/proofs)."""
    year, month, number = _shift(when, months)
    return date(year, month, min(number, last_of_month(year, month)))


def add_next_day(when, months):
    """A birthday that does not exist is reached on the day after (specs/proofs: born 29 February, 1 March)."""
    year, month, number = _shift(when, months)
    if number <= last_of_month(year, month):
        return date(year, month, number)
    return date(year, month, last_of_month(year, month)) + timedelta(days=1)


#: The timetable's overflow: a day that does not exist becomes the last of its month.
add_last_day = clamp


def back(when, unit, count):
    """clamp(T - count units)."""
    if unit == "days":
        return when - timedelta(days=count)
    return clamp(when, -count * {"months": 1, "years": 12}[unit])


def reached(born, when, unit, count):
    """Whether somebody born then is at least `count` units old on T, said forwards in time."""
    if unit == "days":
        return born + timedelta(days=count) <= when
    return add_next_day(born, count * {"months": 1, "years": 12}[unit]) <= when


def age_at_least(when, unit, count):
    """The bound K of `le`: born on or before clamp(T - N)."""
    return day(back(when, unit, count))


def age_at_most(when, unit, count):
    """The bound K of `ge`: born after clamp(T - (N + 1))."""
    return day(back(when, unit, count + 1)) + 1


class Table:
    """Rows {from, to, and years, months, overflow, or date}: P(d) for every birth date d in [lo, hi]."""

    def __init__(self, rows, lo, hi):
        self.rows = [(parse(row["from"]), parse(row["to"]), row) for row in rows]
        self.lo, self.hi = lo, hi
        if not rows or self.rows[0][0] != lo or self.rows[-1][1] != hi:
            raise BadTable("the first `from` is lo and the last `to` is hi")
        for first, last, _ in self.rows:
            if first > last:
                raise BadTable("a row ends before it begins")
        for (_, to, _), (start, _, _) in zip(self.rows, self.rows[1:]):
            if to + timedelta(days=1) != start:
                raise BadTable("a gap or an overlap between rows")
            if self.reaches(to) > self.reaches(start):
                raise BadTable("P falls at a row boundary")

    def reaches(self, born):
        """P(d)."""
        return self.moved(next(row for first, last, row in self.rows if first <= born <= last), born)

    @staticmethod
    def moved(row, born):
        if "date" in row:
            return parse(row["date"])
        move = {"last_day": add_last_day, "next_day": add_next_day}[row["overflow"]]
        return move(born, 12 * row.get("years", 0) + row.get("months", 0))

    def cutoff(self, when):
        """max{d : P(d) <= T}; None where the set is empty or everything. Walks every day: no search to get wrong."""
        found = None
        for born, reached_on in self.every_day:
            if reached_on > when:
                break
            found = born
        return None if found is None or found == self.hi else found

    @cached_property
    def every_day(self):
        """Each birth date with its P(d)."""
        days = []
        for first, last, row in self.rows:
            dates = (first + timedelta(days=at) for at in range((last - first).days + 1))
            days += [(born, self.moved(row, born)) for born in dates]
        return days
