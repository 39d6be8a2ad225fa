"""Nodes that a job keeps away from, beside whatever the platform says about placement."""

import copy

from trivium.render.affinity import HOSTNAME, keep_away

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
NOT_THERE = {"key": HOSTNAME, "operator": "NotIn", "values": ["n1", "n2"]}
ZONE = {"key": "zone", "operator": "In", "values": ["a"]}


def test_without_excluded_nodes_the_platforms_affinity_stays_as_it_is():
    assert keep_away({"podAffinity": {"x": 1}}, ()) == {"podAffinity": {"x": 1}}
    assert keep_away({}, ()) == {}


def test_an_exclusion_is_a_term_of_its_own_where_there_is_none():
    want = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [NOT_THERE]}]}}}
    assert keep_away({}, ("n1", "n2")) == want


def test_every_alternative_of_the_platform_gets_the_exclusion_and_keeps_its_own():
    terms = [{"matchExpressions": [ZONE]}, {"matchFields": [{"key": "metadata.name"}]}]
    affinity = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}, "podAntiAffinity": {"y": 2}}
    before = copy.deepcopy(affinity)
    merged = keep_away(affinity, ("n1", "n2"))
    assert merged["nodeAffinity"][REQUIRED]["nodeSelectorTerms"] == [
        {"matchExpressions": [ZONE, NOT_THERE]},
        {"matchFields": [{"key": "metadata.name"}], "matchExpressions": [NOT_THERE]},
    ]
    assert merged["podAntiAffinity"] == {"y": 2}
    assert affinity == before
