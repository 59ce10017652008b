"""More fields that are computed of lists than a statement should have subqueries."""

from __future__ import annotations

from sternpost import Contract, Many, One, Read, Resource, computed, count_of, public


class Patient(Resource, prefix="pat"):
    visits: Many[Visit]
    count_0: int = computed(count_of("visits"))
    count_1: int = computed(count_of("visits"))
    count_2: int = computed(count_of("visits"))
    count_3: int = computed(count_of("visits"))
    count_4: int = computed(count_of("visits"))
    count_5: int = computed(count_of("visits"))
    count_6: int = computed(count_of("visits"))
    count_7: int = computed(count_of("visits"))
    count_8: int = computed(count_of("visits"))
    count_9: int = computed(count_of("visits"))
    count_10: int = computed(count_of("visits"))
    count_11: int = computed(count_of("visits"))
    count_12: int = computed(count_of("visits"))
    count_13: int = computed(count_of("visits"))
    count_14: int = computed(count_of("visits"))
    count_15: int = computed(count_of("visits"))
    count_16: int = computed(count_of("visits"))
    count_17: int = computed(count_of("visits"))
    count_18: int = computed(count_of("visits"))
    count_19: int = computed(count_of("visits"))
    count_20: int = computed(count_of("visits"))


class Visit(Resource, prefix="vis"):
    patient: One[Patient]

    read = Read(allow=public)


contract = Contract("clinic", resources=[Patient, Visit])
