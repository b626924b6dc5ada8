"""FET's files (lalescu.ro/liviu/fet): each constraint read as a rule or a note; written so that FET certifies them.

What FET means, where its names don't say it:

* A constraint of 100 % holds always: a hard rule. One below 100 % is a wish whose cost FET reckons as its percentage of
  each conflict; its rule's weight is the percentage, rounded. One of 0 % is never looked at, but
  that two activities of a day follow one another where it asks for that as well: this holds always.
* A period that is a break is no period here: nothing lies in it, it is no gap, it ends a run of lessons in a row, and
  two lessons around it follow one another. A block never spans one.
* A free period in which somebody is not available is no gap, and the first in which they are is their day's first.
* Constraints on students hold for each smallest part (subgroup) by itself. Parts that attend the same activities are
  one group here, named for the largest set that they make up.
* Only an activity for which a constraint names rooms gets one. Rooms that are preferred for the activity, its subject
  or its tags go before home rooms; of several such constraints all hold.
* Where the week is of mornings and afternoons, FET's days are half days, and a real day is two of them.
  Teachers may work in both halves of none, some or all of the days. Three "consecutive days" are half days.
* Changes of rooms are those between one lesson and any later one of a day, not only the next.
"""
