"""What goes wrong in data entry, once each: corrections, retractions, samples lost, messages sent twice.

None of it touches a story: the records are those of the background, on visits that nobody misses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from services.simulator.envelope import SimulatedEvent, SubjectLog
from services.simulator.schedule import Calendar

Mishap = Callable[[SubjectLog, Calendar], None]


def _birth_year_added(log: SubjectLog, calendar: Calendar) -> None:
    log.revise("subject", "enrolled", 2, calendar.at(3, "09:10"), birth_year=1958, liver_metastases=True)


def _lesions_corrected(log: SubjectLog, calendar: Calendar) -> None:
    log.revise("treatment", "pexa-vec-W3D1", 2, calendar.at(17, "09:10"), lesions=2, status="partial")


def _entered_twice(log: SubjectLog, calendar: Calendar) -> None:
    data = {"drug": "ipilimumab", "given": calendar.day(29).isoformat(), "status": "given"}
    log.write("treatment.administered", "ipilimumab-W5D1-bis", 1, calendar.at(29, "15:30"), data)
    log.retract("treatment", "ipilimumab-W5D1-bis", 2, calendar.at(31, "09:10"), "Entered twice")


def _result_corrected(log: SubjectLog, calendar: Calendar) -> None:
    log.revise("lab", "W5D1-SODIUM", 2, calendar.at(30, "09:10"), status="corrected", value=138)


def _sample_swapped(log: SubjectLog, calendar: Calendar) -> None:
    log.retract("lab", "W5D1-K", 2, calendar.at(32, "09:10"), "Tube of another subject")


def _haemolysed(log: SubjectLog, calendar: Calendar) -> None:
    changes = {"status": "unreliable", "value": None, "text": "hémolysé"}
    log.revise("lab", "W3D1-K", 2, calendar.at(16, "09:10"), **changes)


def _below_detection(log: SubjectLog, calendar: Calendar) -> None:
    log.revise("lab", "W2D1-BILI", 2, calendar.at(9, "09:10"), status="corrected", value=5, comparator="<")


def _not_done(log: SubjectLog, calendar: Calendar) -> None:
    data = {"test": "CK", "collected": calendar.day(29).isoformat(), "status": "not-done", "visit_id": "W5D1"}
    log.write("lab.resulted", "W5D1-CK", 1, calendar.at(29, "18:00"), data, system="lis")


def _visit_date_corrected(log: SubjectLog, calendar: Calendar) -> None:
    log.revise("visit", "W9D1", 2, calendar.at(59, "09:10"), date=calendar.day(58).isoformat())


def _visit_of_another(log: SubjectLog, calendar: Calendar) -> None:
    data = {"name": "unscheduled", "date": calendar.day(33).isoformat(), "status": "unscheduled", "ecog": 1}
    log.write("visit.recorded", "UNS-1", 1, calendar.at(33, "17:30"), data)
    log.retract("visit", "UNS-1", 2, calendar.at(34, "09:10"), "Visit of another subject")


def _response_reread(log: SubjectLog, calendar: Calendar) -> None:
    log.revise("response", "RESP-1", 2, calendar.at(74, "09:10"), response="SD")


def _response_withdrawn(log: SubjectLog, calendar: Calendar) -> None:
    log.retract("response", "RESP-2", 2, calendar.at(111, "09:10"), "Scan could not be read")


def _complaint_retracted(log: SubjectLog, calendar: Calendar) -> None:
    data = {"term": "Fall", "grade": 1, "onset": calendar.day(30).isoformat(), "serious": False, "ongoing": False}
    log.write("ae.reported", "AE-199", 1, calendar.at(31, "16:20"), data)
    log.retract("ae", "AE-199", 2, calendar.at(38, "09:10"), "Not an adverse event")


def _overtaken(log: SubjectLog, calendar: Calendar) -> None:
    """The first report is held up and comes in after its own revision."""
    onset = calendar.day(19).isoformat()
    data = {"term": "Weight decreased", "onset": onset, "serious": False, "grade": 1, "immune_related": False}
    held_until = calendar.at(26, "08:15")
    log.write("ae.reported", "AE-198", 1, calendar.at(20, "16:20"), {**data, "ongoing": True}, received=held_until)
    ended = {"end": calendar.day(22).isoformat(), "ongoing": False, "outcome": "recovered"}
    log.write("ae.reported", "AE-198", 2, calendar.at(23, "16:20"), {**data, **ended})


# By the subject's place in the plan. The first three are of dose level 1, the last of Part B.
MISHAPS: Final[dict[int, tuple[Mishap, ...]]] = {
    0: (_birth_year_added,),
    1: (_lesions_corrected,),
    2: (_result_corrected,),
    4: (_entered_twice,),
    5: (_sample_swapped,),
    7: (_visit_of_another,),
    8: (_haemolysed,),
    9: (_visit_date_corrected,),
    10: (_below_detection,),
    12: (_complaint_retracted,),
    13: (_not_done,),
    14: (_overtaken,),
    16: (_response_reread,),
    21: (_response_withdrawn,),
}


def redelivered(draft: SimulatedEvent, minutes: int) -> SimulatedEvent:
    """The same event again: at once, hence byte for byte, or later, hence with another `receivedtime`."""
    return replace(draft, received=draft.arrival + timedelta(minutes=minutes)) if minutes else draft
